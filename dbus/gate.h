// SPDX-License-Identifier: LGPL-2.1-or-later
// The gate before every method that changes something.
//
// How such a handler is written. In the XML the method carries the annotation
//     <annotation name="org.freedesktop.DBus.Method.Async" value="server"/>
// and in method_rights() (dbus/authorize.cpp) it has its line; units/org.cxlmemd1.conf lets it through. The
// object has a member `Gate gate_{authority, getObject(), INTERFACE_NAME};`, declared last, and the handler
// moves everything into one lambda:
//
//     void RegionObject::Remove(sdbus::Result<sdbus::ObjectPath>&& result, VariantMap options) {
//         gate_.pass_later("Remove", facts_.name, std::move(result),
//                          [this, options](std::uint32_t uid, const JobReply& reply) {
//                              unwrap(no_options(options));
//                              requests_.remove_region(facts_.name, uid, reply->later(job_path));
//                          });
//     }
//
// The lambda runs when the caller may: at once for root, else when polkit has said so. It validates and acts
// as if the request had just arrived, and throws (unwrap), or has the value sent; with pass() instead of
// pass_later() it takes no reply and returns the value. `this` is safe in
// it: if the object has gone by then, the caller gets Gone and the lambda does not run. So a device that
// took the name of the one that was asked for is never touched (R7).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dbus/authorize.h"
#include "dbus/guard.h"
#include "dbus/names.h"
#include "dbus/sdbus_compat.h"
#include "policy/text.h"

namespace cxlmemd::bus {

// What a method that starts a job returns.
inline sdbus::ObjectPath job_path(std::uint32_t id) {
    return sdbus::ObjectPath{object_path(Noun::job, std::to_string(id))};
}

// What a caller waits for, if it does. Until it is known to be root, its errors name no physical address.
template <class... Outputs>
class Reply final : public std::enable_shared_from_this<Reply<Outputs...>> {
 public:
    Reply(sdbus::Result<Outputs...>&& result, bool expected)
        : result_(std::move(result)), expected_(expected) {}

    void is_for(std::uint32_t uid) { shows_addresses_ = is_trusted(uid); }

    // Runs `handler` and sends what it returns, or throws.
    template <class Handler>
    void send(Handler&& handler) const {
        guard([&] {
            if constexpr (sizeof...(Outputs) == 0) {
                handler();
                if (expected_) result_.returnResults();
            } else {
                const auto value = handler();
                if (!expected_) return;
                if constexpr (sizeof...(Outputs) == 1) {
                    result_.returnResults(value);
                } else {
                    std::apply([this](const auto&... values) { result_.returnResults(values...); }, value);
                }
            }
        });
    }

    void fail(const Error& error) const {
        guard([&] { throw to_bus_error(error); });
    }

    // What sends, when it is called with a cxlmemd::Result: the error, or what `shape` makes of the value.
    template <class Shape = std::identity>
    [[nodiscard]] auto later(Shape shape = {}) const {
        return [reply = this->shared_from_this(), shape = std::move(shape)](auto result) {
            reply->send([&] { return shape(unwrap(std::move(result))); });
        };
    }

    // Runs `work`, and sends what it throws.
    template <class Work>
    void guard(Work&& work) const {
        try {
            guarded(std::forward<Work>(work));
        } catch (const sdbus::Error& error) {
            send_error(error);
        }
    }

 private:
    void send_error(const sdbus::Error& error) const {
        if (!expected_) return;
        try {
            result_.returnError(shows_addresses_
                                    ? error
                                    : make_error(error.getName(), without_addresses(error.getMessage())));
        } catch (const sdbus::Error&) {
            // The bus takes no more messages: the daemon is about to notice that, and connects again.
        }
    }

    sdbus::Result<Outputs...> result_;
    bool expected_;
    bool shows_addresses_ = false;
};

using JobReply = std::shared_ptr<Reply<sdbus::ObjectPath>>;

class Gate final {
 public:
    Gate(Authority& authority, sdbus::IObject& object, const char* interface)
        : authority_(authority), object_(object), interface_(interface) {}
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    // The rights that a call takes beyond the one of the table, by what it would do now.
    using MoreRights = std::function<std::vector<Right>()>;

    // `subject` is what the caller acts on, by name: "dax0.0", "job 3". `more` may use the object as the
    // handler may.
    template <class... Outputs, class Handler>
    void pass(const char* method, const std::string& subject, sdbus::Result<Outputs...>&& result,
              Handler handler, MoreRights more = {}) {
        pass_later(
            method, subject, std::move(result),
            [handler = std::move(handler)](std::uint32_t uid,
                                           const std::shared_ptr<Reply<Outputs...>>& reply) {
                reply->send([&] { return handler(uid); });
            },
            std::move(more));
    }

    // The same for a handler whose value comes later still: it keeps the reply, and sends.
    template <class... Outputs, class Handler>
    void pass_later(const char* method, const std::string& subject, sdbus::Result<Outputs...>&& result,
                    Handler handler, MoreRights more = {}) {
        decltype(auto) message = current_message(object_);
        using ReplyHere = Reply<Outputs...>;
        auto reply = std::make_shared<ReplyHere>(std::move(result), RawMessage{message}.expects_reply());
        const auto then = [reply, method = std::string{method}, subject, handler = std::move(handler),
                           alive =
                               std::weak_ptr<const int>{alive_}](const cxlmemd::Result<std::uint32_t>& uid) {
            if (!uid) return reply->fail(uid.error());
            reply->is_for(*uid);
            if (alive.expired()) {
                return reply->fail({.code = ErrorCode::gone,
                                    .object = subject,
                                    .operation = method,
                                    .reason = "it went away while the caller's rights were asked for"});
            }
            reply->guard([&] { handler(*uid, reply); });
        };
        MoreRights more_while_alive;
        if (more) {
            more_while_alive = [more = std::move(more), alive = std::weak_ptr<const int>{alive_}] {
                if (alive.expired()) return std::vector<Right>{};
                try {
                    return more();
                } catch (const std::exception&) {
                    // What it would do is not known: it may be anything.
                    return std::vector<Right>{Right::online, Right::offline, Right::set_mode,
                                              Right::read_addresses};
                }
            };
        }
        reply->guard([&] {
            authority_.authorize(message,
                                 {.interface = interface_,
                                  .method = method,
                                  .object = subject,
                                  .more = std::move(more_while_alive)},
                                 then);
        });
    }

 private:
    Authority& authority_;
    sdbus::IObject& object_;
    const char* interface_;
    std::shared_ptr<const int> alive_ = std::make_shared<const int>(0);
};

}  // namespace cxlmemd::bus
