/*
 * tests/fuzz/one_guest.h -- the guest that fuzz_gdb, fuzz_wire and fuzz_link debug, each in one
 * process with its debugger (one_process.h).
 */
#ifndef TESTS_FUZZ_ONE_GUEST_H
#define TESTS_FUZZ_ONE_GUEST_H

#include "base/trace.h"
#include "debugger/link/private.h"
#include "one_process.h"

/* 16-bit code at 1000h, as in tests/unit/test_gdb.c: counts, then goes to 32 bits for ever */
static const uint8_t code[0x70] = {
    0x31, 0xdb, 0x43, 0x89, 0x1e, 0x00, 0x20, 0x83, 0xfb, 0x03, 0x75, 0xf6, 0x0f, 0x01, 0x16, 0x60, 0x10,
    0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0xea, 0x20, 0x10, 0x08, 0x00,
    [0x20] = 0x40, 0xbb, 0x78, 0x56, 0x34, 0x12, 0xeb, 0xf8,
    [0x48] = 0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00,
    [0x60] = 0x17, 0x00, 0x40, 0x10, 0x00, 0x00,
};

static char one_guest_path[] = "/tmp/vitrine-fuzz-guest-XXXXXX";

/* Both ends; from here on what is made belongs to the world.  The file is there until the caller
 * unlinks it. */
static struct link *one_guest_begin(void)
{
    char why[300];
    int fd = mkstemp(one_guest_path);
    static uint8_t image[0xf000];
    memset(image, 0x90, sizeof image);  /* zeros are code that writes over itself: slow */
    memcpy(image, code, sizeof code);
    if (fd < 0 || write(fd, image, sizeof image) != sizeof image)
        abort();
    close(fd);
    static struct link_options o = {
        .machine = { .engine = &engine_soft, .mmu = MMU_NESTED, .ram_bytes = 1 << 20 },
        .guest = { .path = one_guest_path, .format = "flat@0x1000:16" }, .no_sandbox = true,
        .checkpoint_bytes = 4 << 20,
    };
    world_begin(&kept.world);
    struct link *l = link_in_one_process(&o, why, sizeof why);
    if (!l)
        bug("%s", why);
    link_patience(l, 15000);            /* a busy machine is no hanging monitor */
    return l;
}

/* The link's texts are filled each from its own beginning. */
__attribute__((unused))
static void one_guest_starts(struct link *l)
{
    for (unsigned i = 0; i < N_LINK_OUTPUTS; i++)
        world_starts(&kept.world, l->output[i].byte);
    world_starts(&kept.world, l->words.byte);
}

#endif
