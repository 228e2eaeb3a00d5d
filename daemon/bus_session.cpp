// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/bus_session.h"

#include <sys/socket.h>

#include <utility>

#include "dbus/names.h"
#include "dbus/sdbus_compat.h"

namespace cxlmemd {

namespace {

sdbus::IConnection& with_object_manager(sdbus::IConnection& connection) {
    bus::add_object_manager(connection, bus::root_path);
    return connection;
}

bus::StartTimer timers_of(EventLoop& loop) {
    return [&loop](std::uint64_t usec, std::function<void()> expired) {
        return std::make_shared<EventLoop::Source>(loop.add_timer(usec, std::move(expired)));
    };
}

bus::Tree::OnFailure said_in(Log& log) {
    return [&log](const std::string& name, const std::string& text) {
        log.write(message::not_on_bus, LogLevel::error, name + " is not on the bus: " + text,
                  {{"CXLMEMD_DEVICE", name}});
    };
}

bus::LogKnobs knobs_of(Log& log) {
    return {.level = [&log] { return log.level_word(); },
            .set_level = [&log](const std::string& word) { return log.set_level(word); },
            .target = [&log] { return log.target_word(); },
            .set_target = [&log](const std::string& word) { return log.set_target(word); },
            .identifier = "cxlmemd"};
}

std::unique_ptr<bus::EmulatorObject> emulator_object(sdbus::IConnection& connection, EmulatorControl* control,
                                                     bus::Authority& authority) {
    if (control == nullptr) return nullptr;
    return std::make_unique<bus::EmulatorObject>(
        connection,
        [control](const std::string& event, bus::EmulatorObject::Details details,
                  const bus::EmulatorObject::Done& done) { done(control->inject(event, details)); },
        authority);
}

}  // namespace

BusSession::BusSession(std::shared_ptr<sdbus::IConnection> connection, const BusContent& content,
                       const EventLoop::Callback& on_lost)
    : connection_(std::move(connection)),
      service_(content.service),
      door_(with_object_manager(*connection_), [this] { return tree_.sizes(); }),
      authority_(*connection_, timers_of(content.loop)),
      tree_(*connection_, content.manager, content.service, authority_, said_in(content.log)),
      emulator_(emulator_object(*connection_, content.control, authority_)),
      log_control_(*connection_, knobs_of(content.log), authority_),
      broker_(*connection_),
      pump_(content.loop, *connection_, on_lost) {
    service_.attach(tree_, on_lost);
}

// The socket first: a bus that still has it but does not read would be waited for when the connection closes,
// and keeps the name from the next one.
BusSession::~BusSession() {
    service_.detach();
    try {
        ::shutdown(bus::poll_wish(*connection_).fd, SHUT_RDWR);
    } catch (const sdbus::Error&) {
        // It is closed already.
    }
    authority_.close();
}

void BusSession::take_name(std::function<void(Result<>)> answered) {
    broker_.request_name(bus::service_name, std::move(answered));
}

void BusSession::close() {
    authority_.close();
}

}  // namespace cxlmemd
