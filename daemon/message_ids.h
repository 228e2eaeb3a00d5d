// SPDX-License-Identifier: LGPL-2.1-or-later
// What the journal calls each kind of message: MESSAGE_ID. For filters (journalctl MESSAGE_ID=...) and for
// the explanations in units/cxlmemd.catalog, which has the same ids. An id never gets another meaning.
#pragma once

namespace cxlmemd {

struct MessageId {
    const char* text;  // 32 hex digits
};

namespace message {

// The daemon is up: everything is on the bus.
inline constexpr MessageId ready{"ff6ba70f0c5b44aba51019d26b073bb2"};
// The connection to the bus broke, or there is none; the daemon goes on without, and tries again.
inline constexpr MessageId bus_lost{"42c51540489945ac93437d7f80eacedf"};
// It is on the bus again.
inline constexpr MessageId bus_back{"faa4d840800a4d46a9d4c8dfae4371cc"};
// An object could not be put on the bus.
inline constexpr MessageId not_on_bus{"6f3916a562814784b4d8fb1cae721a22"};
// No CXL memory and no dax device here.
inline constexpr MessageId no_devices{"e45644121f2d4211857cff0129923eb7"};
// A policy or settings file has an error or a warning.
inline constexpr MessageId policy_problem{"7ff2aa578ca8419787eeb0b276efa8ff"};
// A new policy is in force.
inline constexpr MessageId policy_reloaded{"b15dfbfc18b64b8c958a54cdf6c158f9"};
// A reload found errors; the old policy stays.
inline constexpr MessageId reload_failed{"b0bf77e486bc4e7f8e908e8df22762df"};
// Something is wrong enough that the daemon acts on nothing.
inline constexpr MessageId only_watching{"3cc20bde79ad4c3b8ec155ba2fa3c24e"};
// Policy came to a decision about a device.
inline constexpr MessageId decision{"bdd71067839f4b7ab05fcd7acc84057e"};
// What policy wants of a device cannot be had.
inline constexpr MessageId blocked{"855a56a13ca34d2887fc09b6d83e43be"};
// Somebody else changed what policy had put right.
inline constexpr MessageId drift{"163b1afce69644a981f671d39db8a8fe"};
// A job ended as it should.
inline constexpr MessageId job_done{"26c9bbedf467434f9e384c0d29347e9c"};
// A job ended otherwise.
inline constexpr MessageId job_not_done{"6d32b6293ea24e7ea0599e691eda8f58"};
// Policy stops trying to do something to a device.
inline constexpr MessageId given_up{"0c51b1f796504dc89f534d992501f113"};
// The machine could not be looked at.
inline constexpr MessageId scan_failed{"cc9c5a09e2ee453ca7495feb435a1a5c"};
// It can be looked at again.
inline constexpr MessageId scan_works_again{"b2de1258cc084852aec30d1134831532"};
// auto_online_blocks was changed, or could not be.
inline constexpr MessageId auto_online{"7905df7ba5264c0db19c7985a6fe4746"};
// A call into the kernel does not come back.
inline constexpr MessageId worker_stuck{"a8d3b44ec8b34c37b227e1f382db5775"};
// It did come back.
inline constexpr MessageId worker_back{"665d7856a29945e695c197750cedb012"};
// The service manager's watchdog is not fed, for something of the daemon does not answer.
inline constexpr MessageId starving{"11ae1bef29c9476b8fcb5eb4fc8b5825"};
// The daemon ends while a call into the kernel hangs.
inline constexpr MessageId left_behind{"fba8a29be0674fba8569c331655454ff"};
// Configuration files were edited.
inline constexpr MessageId config_edited{"22adf02273d74af0a91ad724c3751320"};
// A region that a [[region]] table asks for was made.
inline constexpr MessageId region_made{"9f656bb9aa954e9b98562cd0bff8011d"};
// Memory has appeared on a card that was prepared for its removal.
inline constexpr MessageId removal_undone{"f85c038c49ca44a08cc6f347a3980b5f"};
// Holds, or marks of cards that are to be pulled, could not be saved.
inline constexpr MessageId holds_not_saved{"e3180ff086564c918f3f2a33530f0ccc"};
// Such a region could not be made, or be taken back.
inline constexpr MessageId region_not_made{"ec7668e71a694b029eefb1bc3aa18422"};
// A setting of the kernel was written: an interleave weight, demotion.
inline constexpr MessageId setting_written{"afe982d8bbb24a33bb226892893296d3"};
// It could not be, or somebody else keeps writing it.
inline constexpr MessageId setting_not_written{"2687e3d4c6224f68ba08f959099a2301"};
// Memory was left without its dax device, and nobody can give it back before a reboot.
inline constexpr MessageId memory_leaked{"3d7f0c52a8e94b13b6c41f9d20e57a84"};
// A step of the emulator's scenario happened.
inline constexpr MessageId step_done{"5c1d0d7b6f3a4e0f9a1e6c2f87b3d94e"};
// The emulated machine refused one.
inline constexpr MessageId step_refused{"b07e4a9c2d164c7e8f5b3a61d9e0c273"};

}  // namespace message

}  // namespace cxlmemd
