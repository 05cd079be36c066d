/*
 * vm/load_place.c -- where in guest memory a loader may put things.
 *
 * Usable RAM is what the E820 map calls so; what was placed is remembered as
 * a list of ranges.  Two rules make every hostile address harmless: bytes go
 * only to usable RAM or into ROM, and nothing is placed on top of anything else.
 *
 * A ROM is written as if it had been burnt before the machine was switched on.  What stands
 * below 1 MiB and below 4 GiB is one ROM: bytes that go to one place are seen at both.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "mem/gmem.h"
#include "vm/loading.h"

/* Append [base, end), joined to the entry before it where they touch. */
static void e820_append(struct e820_entry out[E820_MAX], unsigned *n, uint64_t base, uint64_t end,
                        enum e820_type type)
{
    struct e820_entry *last = *n ? &out[*n - 1] : NULL;

    if (base >= end)
        return;
    if (last && last->type == (uint32_t)type && last->base + last->len == base)
        last->len += end - base;
    else if (*n < E820_MAX)
        out[(*n)++] = (struct e820_entry){ base, end - base, type };
}

/* The memory map that a BIOS gives by INT 15h, AX=E820h, and that boot loaders hand on: entries
 * of base, length and type (1 is usable RAM, 2 is not).  It is made from the regions that the
 * machine really has.  [ACPI "INT 15H, E820H - Query System Address Map"] */
unsigned e820_make(const struct gmem *m, struct e820_entry out[E820_MAX])
{
    unsigned n = 0;
    bool hole_told = false;

    for (size_t i = 0; i <= gmem_count(m); i++) {
        const struct gmem_region *r = i < gmem_count(m) ? gmem_region(m, i) : NULL;
        uint64_t base = r ? r->base : UINT64_MAX, end = r ? r->base + r->size : UINT64_MAX;
        enum e820_type type = r && r->kind == GMEM_RAM ? E820_RAM : E820_RESERVED;

        /* Below 1 MiB a PC has RAM up to the EBDA; the rest is the machine's. */
        if (base < LOW_TOP)
            e820_append(out, &n, base, end < LOW_TOP ? end : LOW_TOP, type);
        if (end > LOW_TOP && !hole_told) {
            e820_append(out, &n, LOW_TOP, ONE_MIB, E820_RESERVED);
            hole_told = true;
        }
        if (r && end > ONE_MIB)
            e820_append(out, &n, base > ONE_MIB ? base : ONE_MIB, end, type);
    }
    return n;
}

static bool in_ram(const struct loading *l, gpa_t base, uint64_t len)
{
    for (unsigned i = 0; i < l->n_e820; i++) {
        const struct e820_entry *e = &l->e820[i];
        if (e->type == E820_RAM && base >= e->base && base - e->base < e->len &&
            len <= e->len - (base - e->base))
            return true;
    }
    return false;
}

/* All of it in one ROM. */
static bool in_rom(const struct loading *l, gpa_t base, uint64_t len)
{
    const struct gmem_region *r = gmem_find(l->m, base);

    return r && r->kind == GMEM_ROM && len <= r->size - (base - r->base);
}

/* The placed range that [base, base+len) touches, or NULL. */
static const struct load_range *overlapping(const struct loading *l, gpa_t base, uint64_t len)
{
    for (unsigned i = 0; i < l->out->n_ranges; i++) {
        const struct load_range *g = &l->out->range[i];
        if (base < g->base + g->len && g->base < base + len)
            return g;
    }
    return NULL;
}

/* "0x0-0x9fc00, 0x100000-0x2000000" */
static void describe_ram(const struct loading *l, char *out, size_t n)
{
    size_t used = 0;

    snprintf(out, n, "none");
    for (unsigned i = 0; i < l->n_e820 && used < n; i++) {
        const struct e820_entry *e = &l->e820[i];
        if (e->type != E820_RAM)
            continue;
        used += (size_t)snprintf(out + used, n - used, "%s%#" PRIx64 "-%#" PRIx64,
                                 used ? ", " : "", e->base, e->base + e->len);
    }
}

/* The address at which the ROM shows the byte at gpa a second time; 0 if it does not. */
static gpa_t rom_twin(const struct loading *l, gpa_t gpa)
{
    gpa_t twin = gpa < ONE_MIB ? gpa + (FOUR_GIB - ONE_MIB) : gpa - (FOUR_GIB - ONE_MIB);

    return in_rom(l, twin, 1) ? twin : 0;
}

static int write_part(struct loading *l, gpa_t base, const void *bytes, uint64_t n)
{
    gpa_t twin = in_rom(l, base, n) ? rom_twin(l, base) : 0;

    if (twin && in_rom(l, twin, n))
        gmem_load_rom(l->m, twin, bytes, n);
    return gmem_load_rom(l->m, base, bytes, n);
}

/* The bytes, then zeros: RAM may hold what an earlier guest left there. */
static int copy_in(struct loading *l, gpa_t base, const void *bytes, uint64_t file_bytes,
                   uint64_t mem_bytes)
{
    static const uint8_t zeros[PAGE_SIZE];

    if (file_bytes && write_part(l, base, bytes, file_bytes))
        return -EFAULT;
    for (uint64_t done = file_bytes; done < mem_bytes;) {
        uint64_t part = mem_bytes - done < PAGE_SIZE ? mem_bytes - done : PAGE_SIZE;
        if (write_part(l, base + done, zeros, part))
            return -EFAULT;
        done += part;
    }
    return 0;
}

/* RAM below 4 GiB ends where the PCI hole begins, whatever --mem says (vm.c). */
#define PCI_HOLE UINT64_C(0xc0000000)

static uint64_t mib_up_to(gpa_t end)
{
    return (end + ONE_MIB - 1) / ONE_MIB;
}

int load_refuse_size(struct loading *l, const char *what, uint64_t bytes, gpa_t end)
{
    if (end > PCI_HOLE)
        return load_refuse(l, ENOMEM, "no room in RAM for %s (%" PRIu64 " bytes)", what, bytes);
    return load_refuse(l, ENOMEM, "no room in RAM for %s (%" PRIu64 " bytes); --mem %" PRIu64
                       "M would be enough", what, bytes, mib_up_to(end));
}

/* Not in RAM: why, and what to do, depends on where. */
static int refuse_place(struct loading *l, const char *what, gpa_t base, gpa_t end)
{
    char ram[160], advice[200];

    describe_ram(l, ram, sizeof(ram));
    if (base < ONE_MIB)
        snprintf(advice, sizeof(advice), "the screen's memory and the BIOS are there; link it at "
                 "0x100000 (1 MiB)");
    else if (end > PCI_HOLE)
        snprintf(advice, sizeof(advice), "a PC has no RAM there; a kernel that is linked high "
                 "needs a load address, AT(ADDR(.text) - 0xc0000000) in its linker script");
    else
        snprintf(advice, sizeof(advice), "--mem %" PRIu64 "M would be enough", mib_up_to(end));
    return load_refuse(l, ENOMEM, "%s at %#" PRIx64 "-%#" PRIx64 " is not in RAM (usable: %s); %s",
                       what, base, end, ram, advice);
}

bool load_is_free(const struct loading *l, gpa_t base, uint64_t bytes)
{
    return base + bytes >= base && (in_ram(l, base, bytes) || in_rom(l, base, bytes)) &&
           !overlapping(l, base, bytes) && l->out->n_ranges < LOAD_MAX_RANGES;
}

int load_reserve(struct loading *l, const char *what, gpa_t base, uint64_t bytes)
{
    const struct load_range *other;

    if (base + bytes < base)
        return load_refuse(l, EINVAL, "%s of %#" PRIx64 " bytes at %#" PRIx64
                           " wraps around the end of the address space; the file is damaged",
                           what, bytes, base);
    if (!in_ram(l, base, bytes) && !in_rom(l, base, bytes))
        return refuse_place(l, what, base, base + bytes);
    other = overlapping(l, base, bytes);
    if (other)
        return load_refuse(l, EINVAL, "%s at %#" PRIx64 "-%#" PRIx64
                           " overlaps %s at %#" PRIx64 "-%#" PRIx64 "; link them apart",
                           what, base, base + bytes, other->what, other->base,
                           other->base + other->len);
    if (l->out->n_ranges == LOAD_MAX_RANGES)
        return load_refuse(l, E2BIG, "it has more than %d parts to load", LOAD_MAX_RANGES);
    l->out->range[l->out->n_ranges++] = (struct load_range){ base, bytes, what };
    return 0;
}

int load_place(struct loading *l, const char *what, gpa_t base, const void *bytes,
               uint64_t file_bytes, uint64_t mem_bytes)
{
    int err = mem_bytes ? load_reserve(l, what, base, mem_bytes) : 0;

    if (!err && copy_in(l, base, bytes, file_bytes, mem_bytes))
        err = load_refuse(l, EFAULT, "guest memory at %#" PRIx64 " cannot be written", base);
    return err;
}

/* The best place inside [lo, hi), all RAM: step over what is in the way.  Each round moves one of
 * the two ends past a range that is taken, so there are at most as many rounds as ranges. */
static bool find_between(const struct loading *l, uint64_t bytes, uint64_t align, gpa_t lo,
                         gpa_t hi, enum load_where where, gpa_t *at)
{
    while (lo < hi && bytes <= hi - lo) {
        gpa_t low = (lo + align - 1) & ~(align - 1), high = (hi - bytes) & ~(align - 1);
        gpa_t try = where == LOAD_LOWEST ? low : high;
        const struct load_range *g;

        if (low < lo || low > high)
            return false;
        g = overlapping(l, try, bytes);
        if (!g) {
            *at = try;
            return true;
        }
        if (where == LOAD_LOWEST)
            lo = g->base + g->len;
        else
            hi = g->base;
    }
    return false;
}

bool load_find(const struct loading *l, uint64_t bytes, uint64_t align, gpa_t lo, gpa_t hi,
               enum load_where where, gpa_t *at)
{
    for (unsigned i = 0; i < l->n_e820; i++) {
        const struct e820_entry *e =
            &l->e820[where == LOAD_LOWEST ? i : l->n_e820 - 1 - i];
        gpa_t from = e->base > lo ? e->base : lo;
        gpa_t to = e->base + e->len < hi ? e->base + e->len : hi;

        if (e->type == E820_RAM && find_between(l, bytes, align, from, to, where, at))
            return true;
    }
    return false;
}

int load_add(struct loading *l, const char *what, const void *src, uint64_t bytes,
             uint64_t align, gpa_t *at)
{
    /* Page 0 is left alone: null pointers should find nothing of ours. */
    if (!load_find(l, bytes, align, PAGE_SIZE, LOW_TOP, LOAD_HIGHEST, at))
        return load_refuse(l, ENOMEM, "no room below %#x for %s (%" PRIu64
                           " bytes); link the guest at 1 MiB or above", LOW_TOP, what, bytes);
    return load_place(l, what, *at, src, src ? bytes : 0, bytes);
}

gpa_t load_end(const struct loading *l)
{
    gpa_t end = ONE_MIB;

    for (unsigned i = 0; i < l->out->n_ranges; i++) {
        const struct load_range *g = &l->out->range[i];
        if (g->base + g->len > end)
            end = g->base + g->len;
    }
    return end;
}

uint64_t load_ram_above_1m_kib(const struct loading *l)
{
    for (unsigned i = 0; i < l->n_e820; i++)
        if (l->e820[i].type == E820_RAM && l->e820[i].base == ONE_MIB)
            return l->e820[i].len / 1024;
    return 0;
}
