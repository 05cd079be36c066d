/*
 * link_board.h -- a guest of a few bytes at 1000h, in real mode, on the other side of a link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "debugger/link/link.h"

/* The bytes go into a file at `path`, which the guest is loaded from. */
static const struct engine *board_engine = &engine_soft;

static struct link *start_guest(const char *path, const uint8_t *code, size_t n)
{
    char why[300];
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(code, 1, n, f);
    fclose(f);
    struct link_options o = {
        .machine = { .engine = board_engine, .mmu = MMU_NESTED, .ram_bytes = 2 << 20 },
        .guest = { .path = path, .format = "flat@0x1000:16" },
    };
    struct link *l = link_start(&o, why, sizeof why);
    if (!l)
        print_message("%s\n", why);
    assert_non_null(l);
    return l;
}
