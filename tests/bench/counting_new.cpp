// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/bench/counting_new.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

// One thread allocates in these programs.
std::size_t now = 0;
std::size_t most = 0;

void* allocate(std::size_t size) noexcept {
    void* out = std::malloc(std::max<std::size_t>(size, 1));
    if (out == nullptr) return nullptr;
    now += ::malloc_usable_size(out);
    most = std::max(most, now);
    return out;
}

void* allocate_or_throw(std::size_t size) {
    void* out = allocate(size);
    if (out == nullptr) throw std::bad_alloc{};
    return out;
}

void release(void* pointer) noexcept {
    if (pointer != nullptr) now -= ::malloc_usable_size(pointer);
    std::free(pointer);
}

}  // namespace

void* operator new(std::size_t size) {
    return allocate_or_throw(size);
}
void* operator new[](std::size_t size) {
    return allocate_or_throw(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return allocate(size);
}
void operator delete(void* pointer) noexcept {
    release(pointer);
}
void operator delete[](void* pointer) noexcept {
    release(pointer);
}
void operator delete(void* pointer, const std::nothrow_t&) noexcept {
    release(pointer);
}
void operator delete[](void* pointer, const std::nothrow_t&) noexcept {
    release(pointer);
}
void operator delete(void* pointer, std::size_t) noexcept {
    release(pointer);
}
void operator delete[](void* pointer, std::size_t) noexcept {
    release(pointer);
}

namespace cxlmemd::test {

CountedMemory::CountedMemory() : before_(now) {
    most = now;
}

std::size_t CountedMemory::peak() const {
    return most - before_;
}

}  // namespace cxlmemd::test
