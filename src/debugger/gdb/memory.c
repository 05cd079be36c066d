/*
 * debugger/gdb/memory.c -- memory by linear address, as the guest's page tables have it now; or by
 * guest-physical address, if the client has said so (Qqemu.PhyMemMode).
 *
 * Reading goes by link.h and changes nothing in the machine, so it works while the VMM cannot
 * answer.  Where an address leads to no memory but to a device, the device is peeked at.
 * Writing is done by the VMM.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/x86.h"
#include "debugger/gdb/private.h"
#include "debugger/link/linear_map.h"

#define READ_MAX 0x10000
#define PEEK_MAX 64                     /* bytes of a device: each costs a request to the VMM */

/* "address,length", both in hexadecimal. */
static bool parse_range(struct gdb_args *a, uint64_t *at, uint64_t *n)
{
    return gdb_take_number(a, at) && gdb_take(a, ',') && gdb_take_number(a, n);
}

/* The client's addresses are linear, unless it has asked for guest-physical ones. */
static int read_guest(const struct gdb_stub *s, uint64_t at, void *buf, uint64_t n)
{
    return s->physical ? link_read_phys(s->o.link, at, buf, n)
                       : link_read_linear(s->o.link, at, buf, n);
}

/* How many bytes from `at` on, at most n, read_guest() could read. */
static uint64_t readable(const struct gdb_stub *s, uint64_t at, uint64_t n)
{
    const struct gmem_region *r;
    size_t n_regions = link_regions(s->o.link, &r);
    uint64_t done = 0;
    if (!s->physical)
        return link_readable(s->o.link, at, n);
    for (size_t i = 0; i < n_regions && done < n; i++)
        if (at + done - r[i].base < r[i].size) {
            done += r[i].base + r[i].size - (at + done);
            i = SIZE_MAX;                       /* the next region may be any */
        }
    return done < n ? done : n;
}

/* Where there is no memory there may be a device's: read its registers byte by byte,
 * without the side effects of reading.  How many bytes were got. */
static uint64_t peek_device(struct gdb_stub *s, uint64_t at, uint8_t *buf, uint64_t n)
{
    uint64_t done = 0, value;
    for (; done < n && done < PEEK_MAX; done++) {
        struct walk w = { .result = WALK_OK, .gpa = at + done };
        if (!s->physical)
            link_walk(s->o.link, at + done, WALK_READ, &w);
        if (w.result != WALK_OK || link_peek_mmio(s->o.link, w.gpa, 1, &value))
            break;
        buf[done] = (uint8_t)value;
    }
    return done;
}

/* Read as many of the n bytes as there are.  gdb often asks for more than it needs, across
 * the end of mapped memory; a short answer is right then.  [GDB manual "Packets", m] */
static uint64_t read_some(struct gdb_stub *s, uint64_t at, uint8_t *buf, uint64_t n)
{
    if (read_guest(s, at, buf, n) == 0)
        return n;
    uint64_t some = readable(s, at, n);
    if (some && read_guest(s, at, buf, some) == 0)
        return some;
    return peek_device(s, at, buf, n);
}

/* `m` answers in hexadecimal, `x` with the letter b and bytes, which is half as long. */
static enum gdb_when read_memory(struct gdb_stub *s, struct gdb_args args, bool binary)
{
    static uint8_t buf[READ_MAX];
    uint64_t at, n;
    if (!parse_range(&args, &at, &n))
        return gdb_error(s, EINVAL, "an address and a length are wanted");
    if (n > READ_MAX)
        n = READ_MAX;
    uint64_t got = read_some(s, at, buf, n);
    if (n && !got)
        return gdb_error(s, EFAULT, "there is no memory");
    if (binary) {
        gdb_put(&s->p, "b");
        gdb_put_binary(&s->p, buf, got);
    } else {
        gdb_put_hex(&s->p, buf, got);
    }
    return GDB_NOW;
}

enum gdb_when gdb_read_memory(struct gdb_stub *s, struct gdb_args args)
{
    return read_memory(s, args, false);
}

enum gdb_when gdb_read_binary(struct gdb_stub *s, struct gdb_args args)
{
    return read_memory(s, args, true);
}

/* A length of 0 is how gdb asks whether `X` is known. */
static enum gdb_when write_memory(struct gdb_stub *s, uint64_t at, const void *buf, uint64_t n)
{
    int err = !n ? 0 : s->physical ? link_write_phys(s->o.link, at, buf, n)
                                   : link_write_linear(s->o.link, at, buf, n);
    const char *why = err == -EFAULT ? "there is no memory"
                    : err == -EBUSY  ? "the guest is on its way back"
                    : "the monitor does not answer";
    return err ? gdb_error(s, err, why) : gdb_ok(s);
}

enum gdb_when gdb_write_memory(struct gdb_stub *s, struct gdb_args args)
{
    static uint8_t buf[READ_MAX];
    uint64_t at, n;
    if (!parse_range(&args, &at, &n) || !gdb_take(&args, ':') || n > sizeof buf ||
        gdb_from_hex(args.at, (size_t)(args.end - args.at), buf, n) != n)
        return gdb_error(s, EINVAL, "M wants an address, a length and the bytes");
    return write_memory(s, at, buf, n);
}

enum gdb_when gdb_write_binary(struct gdb_stub *s, struct gdb_args args)
{
    uint64_t at, n;
    if (!parse_range(&args, &at, &n) || !gdb_take(&args, ':') ||
        n != (uint64_t)(args.end - args.at))
        return gdb_error(s, EINVAL, "X wants an address, a length and the bytes");
    return write_memory(s, at, args.at, n);
}

/* ---- qSearch:memory, qCRC: over as much as can be read ---- */

#define SEARCH_MAX (UINT64_C(1) << 30)

/* "address;length;bytes": the answer is "1,address" of the first place, or "0". It is read
 * in pieces that overlap by one byte less than what is searched for, or a match across two
 * pieces would be missed. */
enum gdb_when gdb_search(struct gdb_stub *s, struct gdb_args args)
{
    static uint8_t buf[READ_MAX];
    uint64_t at, n;
    if (!gdb_take_number(&args, &at) || !gdb_take(&args, ';') || !gdb_take_number(&args, &n) ||
        !gdb_take(&args, ';'))
        return gdb_error(s, EINVAL, "qSearch wants an address, a length and the bytes");
    size_t len = (size_t)(args.end - args.at);
    if (!len || len > sizeof buf / 2 || n > SEARCH_MAX)
        return gdb_error(s, EINVAL, "at most 1 GiB is searched, for at most 32 KiB");
    while (n >= len) {
        if (gdb_has_enough(s))
            return gdb_error(s, EINTR, "interrupted");
        uint64_t k = n < sizeof buf ? n : sizeof buf;
        uint64_t got = readable(s, at, k);
        if (got < len || read_guest(s, at, buf, got))
            break;
        const uint8_t *hit = memmem(buf, got, args.at, len);
        if (hit) {
            gdb_printf(&s->p, "1,%llx", (unsigned long long)(at + (uint64_t)(hit - buf)));
            return GDB_NOW;
        }
        if (got < k)
            break;
        at += got - (len - 1);
        n -= got - (len - 1);
    }
    gdb_put(&s->p, "0");
    return GDB_NOW;
}

/* The sum that gdb computes: polynomial 0x04c11db7, begun with all ones, most significant
 * bit first, not inverted at the end.  [GDB manual "Packets", qCRC] */
static uint32_t crc32(uint32_t crc, const uint8_t *byte, uint64_t n)
{
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            table[i] = i << 24;
            for (int k = 0; k < 8; k++)
                table[i] = table[i] << 1 ^ (table[i] >> 31 ? 0x04c11db7 : 0);
        }
    for (uint64_t i = 0; i < n; i++)
        crc = crc << 8 ^ table[(crc >> 24 ^ byte[i]) & 255];
    return crc;
}

/* gdb's `compare-sections`: the client has the file, and compares sums instead of reading
 * all memory. */
enum gdb_when gdb_crc(struct gdb_stub *s, struct gdb_args args)
{
    static uint8_t buf[READ_MAX];
    uint64_t at, n;
    uint32_t crc = ~UINT32_C(0);
    if (!parse_range(&args, &at, &n) || n > SEARCH_MAX)
        return gdb_error(s, EINVAL, "qCRC wants an address and a length of at most 1 GiB");
    for (uint64_t k; n; at += k, n -= k) {
        k = n < sizeof buf ? n : sizeof buf;
        if (gdb_has_enough(s))
            return gdb_error(s, EINTR, "interrupted");
        if (read_guest(s, at, buf, k))
            return gdb_error(s, EFAULT, "there is no memory");
        crc = crc32(crc, buf, k);
    }
    gdb_printf(&s->p, "C%x", crc);
    return GDB_NOW;
}

/* ---- what is mapped, and how: LLDB's qMemoryRegionInfo ---- */

/* A guest can map its memory in very many pieces; after so many the region ends early,
 * which is only imprecise. */
#define LOOKS 65536

/* LLDB asks for the region around an address: neighbouring pieces of the linear map that
 * have the same rights are one region, and where nothing is mapped a region too, but one
 * without permissions.  A region that reaches the last address is told one byte short,
 * since from address 0 on its size would be 2^64. [LLDB "qMemoryRegionInfo:<addr>"] */
enum gdb_when gdb_region_info(struct gdb_stub *s, struct gdb_args args)
{
    static struct linear_map map;
    struct linear_piece first, next;
    uint64_t at;
    if (!gdb_take_number(&args, &at))
        return gdb_error(s, EINVAL, "an address is wanted");
    at &= PAGE_MASK;
    linear_map_begin(&map, s->o.link);
    linear_map_at(&map, at, &first);
    gla_t last = first.last;
    bool is = first.present && first.behind;
    for (int i = 0; i < LOOKS && last != UINT64_MAX; i++) {
        linear_map_at(&map, last + 1, &next);
        bool also = next.present && next.behind;
        if (is != also || (is && !linear_alike(&first, &next)))
            break;
        last = next.last;
    }
    gdb_printf(&s->p, "start:%llx;size:%llx;", (unsigned long long)at,
               (unsigned long long)(last - at + (last != UINT64_MAX)));
    if (is)
        gdb_printf(&s->p, "permissions:r%s%s;", first.writable ? "w" : "",
                   first.executable ? "x" : "");
    return GDB_NOW;
}
