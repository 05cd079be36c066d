/*
 * vm/load_flat.c -- files without a header: plain bytes, put at an address.
 *
 * The first byte is executed; nothing in the file says where and in which mode, hence
 * it is never chosen unasked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "vm/loading.h"

struct flat_where { uint64_t at; unsigned bits; };

/* "flat[@ADDR][:16|32|64]"; false if it is not that. */
static bool parse_flat(const char *format, struct flat_where *w)
{
    const char *p = format + strlen("flat");
    char *end;
    bool has_at = *p == '@';

    w->bits = 32;
    if (has_at) {
        errno = 0;
        w->at = strtoull(p + 1, &end, 0);
        if (end == p + 1 || errno || p[1] == '-')
            return false;
        p = end;
    }
    if (*p == ':') {
        unsigned long bits = strtoul(p + 1, &end, 10);
        if (bits != 16 && bits != 32 && bits != 64)
            return false;
        w->bits = (unsigned)bits;
        p = end;
    }
    if (!has_at)
        w->at = w->bits == 16 ? 0x7c00 : ONE_MIB;
    return *p == '\0';
}

int load_flat(struct loading *l)
{
    struct flat_where w;
    int err;

    if (!parse_flat(l->r->format, &w))
        return load_refuse(l, EINVAL, "\"%s\" is not flat[@ADDR][:16|32|64], as in flat@0x7c00:16",
                           l->r->format);
    if (w.bits == 16 && w.at >= ONE_MIB)
        return load_refuse(l, EINVAL, "real mode cannot start at %#" PRIx64
                           "; choose an address below 1 MiB", w.at);
    err = load_place(l, "the file", w.at, l->image->bytes, l->image->size, l->image->size);
    if (err)
        return err;
    switch (w.bits) {
    case 16:
        load_enter_real(l, (uint32_t)w.at, 0x7c00);
        l->out->about = "flat, entered in real mode";
        return 0;
    case 32:
        l->out->about = "flat, entered in 32-bit protected mode";
        err = load_enter_flat32(l, BOOT_GDT_PC, w.at);
        break;
    default:
        l->out->about = "flat, entered in long mode";
        err = load_enter_long(l, BOOT_GDT_PC, w.at);
        break;
    }
    return err ? err : load_stack(l);
}
