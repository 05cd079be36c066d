/*
 * tests/fuzz/fuzz_load.c -- any bytes as a kernel, and as its initrd.
 *   run    make fuzz
 *
 * The first byte chooses the format asked for and whether there is a module;
 * the rest is the file.  What is promised for every file: it is refused with a
 * sentence, or what was placed lies in RAM, each part apart from the others,
 * the first instruction in memory that exists.
 */
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "mem/gmem.h"
#include "vm/load.h"

static struct gmem *machine(void)
{
    struct gmem *m = gmem_new();

    gmem_add(m, "low RAM", 0, 0xa0000, GMEM_RAM);
    gmem_add(m, "VGA memory", 0xa0000, 0x20000, GMEM_RAM);
    gmem_add(m, "BIOS", BIOS_BASE, BIOS_SIZE, GMEM_ROM);
    gmem_add(m, "RAM", 0x100000, 0x300000, GMEM_RAM);
    gmem_add(m, "high RAM", BIT(32), 0x10000, GMEM_RAM);
    gmem_freeze(m);
    return m;
}

/* In RAM that the map calls usable, or in ROM. */
static bool may_be_placed(const struct gmem *m, const struct load_range *g)
{
    const struct gmem_region *r = gmem_find(m, g->base);
    struct e820_entry map[E820_MAX];
    unsigned n = e820_make(m, map);

    for (unsigned i = 0; i < n; i++)
        if (map[i].type == E820_RAM && g->base >= map[i].base &&
            g->base + g->len <= map[i].base + map[i].len && g->base + g->len >= g->base)
            return true;
    return r && r->kind == GMEM_ROM && g->len <= r->size - (g->base - r->base);
}

static void check(const struct gmem *m, const struct load_result *out)
{
    for (unsigned i = 0; i < out->n_ranges; i++) {
        const struct load_range *a = &out->range[i];
        bug_if(!may_be_placed(m, a), "%s is not in RAM", a->what);
        for (unsigned j = 0; j < i; j++) {
            const struct load_range *b = &out->range[j];
            bug_if(a->base < b->base + b->len && b->base < a->base + a->len, "%s overlaps %s",
                   a->what, b->what);
        }
    }
    bug_if(!gmem_find(m, out->entry), "the entry point is nowhere");
    bug_if(!out->about, "a format without a name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = { NULL, "elf", "multiboot", "linux", "linux64", "boot",
                                           "flat", "flat@0x7c00:16" };
    static struct gmem *m;
    struct load_request r = { .path = "dir/name", .append = "a b" };
    struct load_result out;
    char why[256];

    if (!m)
        m = machine();
    if (size < 1)
        return 0;
    r.format = formats[data[0] % NELEM(formats)];
    unsigned n_modules = data[0] >> 7;

    struct load_file image = { data + 1, size - 1, r.path };
    struct load_file module = { data + 1, size - 1, "module arg" };
    int err = load_guest_mem(m, &r, &image, NULL, &module, n_modules, &out, why, sizeof why);
    if (err == 0)
        check(m, &out);
    else
        bug_if(strncmp(why, "dir/name: ", 10) != 0 || strlen(why) < 16, "refused without a word");
    return 0;
}
