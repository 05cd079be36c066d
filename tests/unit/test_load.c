/*
 * test_load -- what the loaders take, what they refuse, and in which words.
 *
 * Images are made here, byte by byte, so that each broken one differs from a
 * good one in one field.  Debian's memtest86+ is loaded too where installed.
 *
 *   run    make unit
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#undef PF_W                      /* elf.h: a segment flag; x86.h: a #PF bit */
#include "base/x86.h"
#include "mem/gmem.h"
#include "mem/walk.h"
#include "vm/load.h"

#define MIB 0x100000u

static struct gmem *machine(uint64_t ram)
{
    struct gmem *m = gmem_new();

    assert_int_equal(gmem_add(m, "low RAM", 0, 0xa0000, GMEM_RAM), 0);
    assert_int_equal(gmem_add(m, "VGA memory", 0xa0000, 0x20000, GMEM_RAM), 0);
    assert_int_equal(gmem_add(m, "BIOS", BIOS_BASE, BIOS_SIZE, GMEM_ROM), 0);
    assert_int_equal(gmem_add(m, "RAM", MIB, ram - MIB, GMEM_RAM), 0);
    assert_int_equal(gmem_add(m, "BIOS alias", BIOS_ALIAS_BASE, BIOS_SIZE, GMEM_ROM), 0);
    gmem_freeze(m);
    return m;
}

/* A file being made, a machine to load it into, and the result. */
struct fixture {
    struct gmem        *m;
    uint8_t             file[0x4000];
    uint64_t            size;
    struct load_request r;
    const struct load_file *bios;       /* NULL: ours */
    struct load_result  out;
    char                why[256];
};

static struct fixture *fresh(void)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->m = machine(16 * MIB);
    f->r.path = "dir/kernel";
    return f;
}

static void done(struct fixture *f)
{
    gmem_free(f->m);
    free(f);
}

static int load(struct fixture *f, const struct load_file *modules, unsigned n)
{
    /* An exact copy on the heap, so that the sanitizer sees a read past its end. */
    uint8_t *copy = malloc(f->size ? f->size : 1);
    struct load_file image = { copy, f->size, f->r.path };
    int err;

    memcpy(copy, f->file, f->size);
    err = load_guest_mem(f->m, &f->r, &image, f->bios, modules, n, &f->out, f->why, sizeof(f->why));
    free(copy);
    if (err == 0)
        assert_string_equal(f->why, "");
    return err;
}

static uint32_t read32(struct gmem *m, gpa_t at)
{
    uint32_t v;

    assert_int_equal(gmem_read(m, at, &v, 4), 0);
    return v;
}

static void expect_text(struct gmem *m, gpa_t at, const char *text)
{
    char got[256] = "";

    assert_int_equal(gmem_read(m, at, got, strlen(text) + 1), 0);
    assert_string_equal(got, text);
}

/* ---- the images ---- */

#define ELF32_SIZE 0x110
static void make_elf32(struct fixture *f)
{
    Elf32_Ehdr h = {
        .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT, .e_entry = 0xc0100004,
        .e_phoff = sizeof(h), .e_ehsize = sizeof(h), .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 2, .e_shentsize = sizeof(Elf32_Shdr),
    };
    Elf32_Phdr p[2] = {
        { .p_type = PT_LOAD, .p_offset = 0x100, .p_vaddr = 0xc0100000, .p_paddr = 0x100000,
          .p_filesz = 0x10, .p_memsz = 0x20 },
        { .p_type = PT_LOAD, .p_offset = 0x100, .p_vaddr = 0xc0200000, .p_paddr = 0x200000,
          .p_filesz = 0, .p_memsz = 0x1000 },
    };

    memcpy(f->file, &h, sizeof(h));
    memcpy(f->file + sizeof(h), p, sizeof(p));
    memset(f->file + 0x100, 0x90, 0x10);
    f->size = ELF32_SIZE;
}

static void make_elf64(struct fixture *f)
{
    Elf64_Ehdr h = {
        .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_entry = 0x100008,
        .e_phoff = sizeof(h), .e_ehsize = sizeof(h), .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1, .e_shentsize = sizeof(Elf64_Shdr),
    };
    Elf64_Phdr p = { .p_type = PT_LOAD, .p_offset = 0x100, .p_vaddr = 0x100000,
                     .p_paddr = 0x100000, .p_filesz = 0x10, .p_memsz = 0x2000 };

    memcpy(f->file, &h, sizeof(h));
    memcpy(f->file + sizeof(h), &p, sizeof(p));
    f->size = 0x110;
}

static void put(struct fixture *f, size_t at, unsigned size, uint64_t v)
{
    memcpy(f->file + at, &v, size);
}

/* A header at 0x10 with addresses: the file from 0 goes to 1 MiB. */
static void make_multiboot(struct fixture *f)
{
    const uint32_t h[8] = { 0x1badb002, 0x10003, 0u - (0x1badb002u + 0x10003u), 0x100010, 0x100000,
                            0x100200, 0x101000, 0x100040 };

    memcpy(f->file + 0x10, h, sizeof(h));
    f->file[0x40] = 0xf4;
    f->size = 0x200;
}

static void make_linux(struct fixture *f)
{
    f->file[0x1f1] = 1;                         /* one setup sector: code at 0x400 */
    put(f, 0x1f4, 4, 0x300 / 16);
    put(f, 0x1fe, 2, 0xaa55);
    put(f, 0x200, 2, 0x66eb);
    memcpy(f->file + 0x202, "HdrS", 4);
    put(f, 0x206, 2, 0x020c);
    f->file[0x211] = 1;
    put(f, 0x214, 4, 0x100000);
    put(f, 0x22c, 4, 0xffffff);
    put(f, 0x236, 2, 1);
    put(f, 0x238, 4, 32);
    put(f, 0x258, 8, 0x200000);
    put(f, 0x260, 4, 0x5000);
    f->file[0x400] = 0xfa;
    f->file[0x600] = 0xfc;
    f->size = 0x700;
}

static void make_boot(struct fixture *f)
{
    put(f, 510, 2, 0xaa55);
    f->file[0x200] = 0x77;
    f->size = 1024;
}

static void make_flat(struct fixture *f)
{
    f->file[0] = 0xf4;
    f->size = 16;
    f->r.format = "flat";
}

/* ---- good ones ---- */

/* Linux demands 10 and 18; all others find what QEMU and GRUB Legacy have, 08 and 10. */
static void expect_flat32_by(const struct fixture *f, uint64_t rip, uint16_t code)
{
    const struct cpu_state *s = &f->out.cpu;

    assert_int_equal(s->rip, rip);
    assert_int_equal(f->out.entry, rip);
    assert_int_equal(s->cr0 & (CR0_PE | CR0_PG), CR0_PE);
    assert_int_equal(s->rflags, FLAG_ONE);
    assert_int_equal(s->seg[SEG_CS].sel, code);
    assert_int_equal(s->seg[SEG_CS].attr, SEG_G | SEG_DB | SEG_P | SEG_S | 0xb);
    assert_int_equal(s->seg[SEG_SS].sel, code + 8);
    assert_int_equal(s->seg[SEG_DS].limit, 0xffffffff);
    /* The descriptors in memory say the same. */
    assert_int_equal(read32(f->m, s->gdtr.base + code), 0x0000ffff);
    assert_int_equal(read32(f->m, s->gdtr.base + code + 4), 0x00cf9b00);
    assert_int_equal(read32(f->m, s->gdtr.base + code + 12), 0x00cf9300);
    assert_true(s->gdtr.limit >= code + 15u);
}

static void expect_flat32(const struct fixture *f, uint64_t rip)
{
    expect_flat32_by(f, rip, 0x08);
}

static void test_elf32(void **state)
{
    (void)state;
    struct fixture *f = fresh();

    make_elf32(f);
    assert_int_equal(gmem_write(f->m, 0x100010, "dirty", 5), 0);
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.format, LOAD_ELF);
    expect_flat32(f, 0x100004);                 /* made physical by its segment */
    assert_int_equal(read32(f->m, 0x10000c), 0x90909090);
    assert_int_equal(read32(f->m, 0x100010), 0);
    assert_string_equal(f->out.symbols_path, "dir/kernel");
    assert_int_not_equal(f->out.cpu.gpr[RSP], 0);
    done(f);
}

static void test_elf64(void **state)
{
    (void)state;
    static const gla_t looked_up[] = { 0x1234, 0x100008, 0x7fffffff, 0xffffffff };
    struct fixture *f = fresh();
    struct walk w;

    make_elf64(f);
    assert_int_equal(load(f, NULL, 0), 0);
    const struct cpu_state *s = &f->out.cpu;
    assert_int_equal(s->rip, 0x100008);
    assert_int_equal(s->efer, EFER_LME | EFER_LMA);
    assert_int_equal(s->seg[SEG_CS].attr, SEG_G | SEG_L | SEG_P | SEG_S | 0xb);
    for (size_t i = 0; i < NELEM(looked_up); i++) {
        struct paging pg = { .cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->efer };
        walk(&pg, f->m, looked_up[i], WALK_WRITE | WALK_PEEK, &w);
        assert_int_equal(w.result, WALK_OK);
        assert_int_equal(w.gpa, looked_up[i]);
    }
    done(f);
}

static void test_multiboot(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    struct load_file mod[2] = { { "first", 5, "one x=1" }, { "second", 6, "two" } };

    make_multiboot(f);
    f->r.append = "a b";
    assert_int_equal(load(f, mod, 2), 0);
    assert_int_equal(f->out.format, LOAD_MULTIBOOT);
    expect_flat32(f, 0x100040);
    assert_int_equal(f->out.cpu.gpr[RAX], 0x2badb002);
    gpa_t mbi = f->out.cpu.gpr[RBX];
    assert_int_equal(read32(f->m, mbi), 0x124d);
    assert_int_equal(read32(f->m, mbi + 4), 639);
    assert_int_equal(read32(f->m, mbi + 8), 15 * 1024);
    expect_text(f->m, read32(f->m, mbi + 16), "kernel a b");
    assert_int_equal(read32(f->m, mbi + 20), 2);
    gpa_t list = read32(f->m, mbi + 24);
    assert_int_equal(read32(f->m, list) % PAGE_SIZE, 0);
    assert_true(read32(f->m, list) >= 0x101000);        /* behind the bss */
    assert_int_equal(read32(f->m, list + 4) - read32(f->m, list), 5);
    expect_text(f->m, read32(f->m, list + 8), "one x=1");
    assert_memory_equal(gmem_ptr(f->m, read32(f->m, list + 16), 6), "second", 6);
    /* Memory map: 20-byte rows; the second is the hole below 1 MiB. */
    gpa_t map = read32(f->m, mbi + 48);
    assert_int_equal(read32(f->m, map), 20);
    assert_int_equal(read32(f->m, map + 24 + 4), 0x9fc00);
    assert_int_equal(read32(f->m, map + 24 + 20), E820_RESERVED);
    done(f);
}

/* An ELF with the header in it is Multiboot, entered as that wants it. */
static void test_multiboot_elf(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    const uint32_t h[3] = { 0x1badb002, 0, 0u - 0x1badb002u };

    make_elf32(f);
    memcpy(f->file + 0x100, h, sizeof(h));
    put(f, 24, 4, 0xc010000c);
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.format, LOAD_MULTIBOOT);
    expect_flat32(f, 0x10000c);
    done(f);
}

/* A 64-bit ELF with that header is entered as the header's specification says, in 32-bit mode;
 * in long mode only if asked to take it as an ELF. */
static void test_multiboot_elf64(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    const uint32_t h[3] = { 0x1badb002, 0, 0u - 0x1badb002u };

    make_elf64(f);
    memcpy(f->file + 0x100, h, sizeof(h));
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.format, LOAD_MULTIBOOT);
    expect_flat32(f, 0x100008);
    f->r.format = "elf";
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.format, LOAD_ELF);
    assert_int_equal(f->out.cpu.efer, EFER_LME | EFER_LMA);
    assert_string_equal(f->out.note, "");
    done(f);
}

/* ESP and GDT as every loader has them, and both noted as what nobody has promised. */
static void test_multiboot_leaves_a_stack(void **state)
{
    (void)state;
    struct fixture *f = fresh();

    make_multiboot(f);
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.cpu.gpr[RSP], 0x7ff00);
    assert_int_equal(f->out.unpromised_stack, 0x7f000);
    assert_int_equal(f->out.unpromised_gdt, f->out.cpu.gdtr.base);
    for (unsigned i = 0; i < f->out.n_ranges; i++)      /* alone on its page */
        if (f->out.range[i].base != f->out.unpromised_gdt)
            assert_true((f->out.range[i].base + f->out.range[i].len - 1) / PAGE_SIZE <
                        f->out.unpromised_gdt / PAGE_SIZE ||
                        f->out.range[i].base / PAGE_SIZE > f->out.unpromised_gdt / PAGE_SIZE);
    /* A kernel that lies there itself gets another stack. */
    put(f, 0x1c, 4, 0x70010);
    put(f, 0x20, 4, 0x70000);
    put(f, 0x24, 4, 0);
    put(f, 0x28, 4, 0x90000);
    put(f, 0x2c, 4, 0x70040);
    assert_int_equal(load(f, NULL, 0), 0);
    assert_true(f->out.cpu.gpr[RSP] > 0x90000 && f->out.cpu.gpr[RSP] <= 0x9fc00);
    done(f);
}

/* A BIOS has been there, whatever is booted. */
static void test_bios_areas(void **state)
{
    (void)state;
    static void (*const make[])(struct fixture *) = { make_elf32, make_elf64, make_multiboot,
                                                      make_linux, make_flat };
    for (size_t i = 0; i < NELEM(make); i++) {
        struct fixture *f = fresh();

        make[i](f);
        assert_int_equal(load(f, NULL, 0), 0);
        assert_int_equal(read32(f->m, 0x400) & 0xffff, 0x3f8);          /* COM1 */
        assert_int_equal(read32(f->m, 0x40e) & 0xffff, 0x9fc0);         /* EBDA */
        assert_int_equal(read32(f->m, 0x413) & 0xffff, 639);            /* KiB  */
        assert_int_equal(read32(f->m, 0x463) & 0xffff, 0x3d4);
        for (unsigned v = 0; v < 256; v++)
            assert_true(read32(f->m, 4 * v) >= 0xf000e000u);            /* our ROM's 8 KiB */
        assert_int_not_equal(read32(f->m, 4 * 0x10), read32(f->m, 4 * 0x60));
        assert_int_equal(read32(f->m, 0x9fc22) & 0xffff, 0x04ff);       /* no disk, the map */
        done(f);
    }
}

/* Multiboot 2: a header with addresses, and what the list of tags says. */
static void make_multiboot2(struct fixture *f)
{
    const uint32_t h[] = { 0xe85250d6, 0, 0x38, 0u - (0xe85250d6u + 0x38),
                           2, 24, 0x100010, 0x100000, 0x100200, 0x101000,   /* addresses */
                           3, 12, 0x100050, 0,                             /* entry     */
                           0, 8 };

    memcpy(f->file + 0x10, h, sizeof(h));
    put(f, 0x18, 4, sizeof(h));
    put(f, 0x1c, 4, 0u - (0xe85250d6u + (uint32_t)sizeof(h)));
    f->file[0x50] = 0xf4;
    f->size = 0x200;
}

/* The n-th tag of this type, or 0. */
static gpa_t find_tag(struct gmem *m, gpa_t info, uint32_t type, unsigned n)
{
    gpa_t end = info + read32(m, info);

    for (gpa_t at = info + 8; at + 8 <= end; at += (read32(m, at + 4) + 7u) & ~7u)
        if (read32(m, at) == type && n-- == 0)
            return at;
    return 0;
}

static void test_multiboot2(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    struct load_file mod[2] = { { "first", 5, "one x=1" }, { "second", 6, "two" } };
    gpa_t info, t;

    make_multiboot2(f);
    f->r.append = "a b";
    assert_int_equal(load(f, mod, 2), 0);
    assert_int_equal(f->out.format, LOAD_MULTIBOOT2);
    expect_flat32(f, 0x100050);
    assert_int_equal(f->out.cpu.gpr[RAX], 0x36d76289);
    assert_int_equal(f->out.cpu.gpr[RSP], 0x7ff00);
    info = f->out.cpu.gpr[RBX];
    assert_int_equal(info % 8, 0);
    assert_int_equal(read32(f->m, info + 4), 0);
    t = find_tag(f->m, info, 0, 0);                         /* the end is the end */
    assert_int_equal(t + 8, info + read32(f->m, info));
    expect_text(f->m, find_tag(f->m, info, 1, 0) + 8, "kernel a b");
    expect_text(f->m, find_tag(f->m, info, 2, 0) + 8, "Vitrine");
    t = find_tag(f->m, info, 3, 1);
    expect_text(f->m, t + 16, "two");
    assert_memory_equal(gmem_ptr(f->m, read32(f->m, t + 8), 6), "second", 6);
    assert_int_equal(read32(f->m, t + 12) - read32(f->m, t + 8), 6);
    t = find_tag(f->m, info, 4, 0);
    assert_int_equal(read32(f->m, t + 8), 639);
    assert_int_equal(read32(f->m, t + 12), 15 * 1024);
    t = find_tag(f->m, info, 6, 0);
    assert_int_equal(read32(f->m, t + 8), 24);
    assert_int_equal(read32(f->m, t + 16 + 8), 0x9fc00);
    assert_int_equal(read32(f->m, t + 16 + 24 + 16), E820_RESERVED);
    t = find_tag(f->m, info, 8, 0);                         /* the text screen */
    assert_int_equal(read32(f->m, t + 8), 0xb8000);
    assert_int_equal(read32(f->m, t + 28), 0x0210);
    done(f);
}

/* An ELF64 with that header begins in 32-bit mode, at its own entry or at the tag's. */
static void test_multiboot2_elf64(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    const uint32_t h[] = { 0xe85250d6, 0, 24, 0u - (0xe85250d6u + 24), 0, 8 };
    const uint32_t with_entry[] = { 0xe85250d6, 0, 40, 0u - (0xe85250d6u + 40),
                                    3, 12, 0x100800, 0, 0, 8 };

    make_elf64(f);
    memcpy(f->file + 0x80, h, sizeof(h));
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.format, LOAD_MULTIBOOT2);
    expect_flat32(f, 0x100008);
    assert_string_equal(f->out.symbols_path, "dir/kernel");
    memcpy(f->file + 0x80, with_entry, sizeof(with_entry));
    assert_int_equal(load(f, NULL, 0), 0);
    expect_flat32(f, 0x100800);
    put(f, 0x98, 4, 0x300000);
    assert_int_equal(load(f, NULL, 0), -ENOEXEC);
    assert_non_null(strstr(f->why, "the entry point 0x300000 is in none"));
    done(f);
}

/* An ELF with the magic in a header that no loader takes: it is run as an ELF, and told. */
static void test_useless_multiboot_header(void **state)
{
    (void)state;
    static const struct { uint32_t at, magic, flags, checksum; const char *note; } row[] = {
        { 0x100,  0x1badb002, 0, 0u - 0x1badb003, "the checksum of its Multiboot header at 0x100 is "
                                                  "0xe4524ffd and must be 0xe4524ffe" },
        { 0x102,  0x1badb002, 0, 0u - 0x1badb002, "at offset 0x102, which is no multiple of 4" },
        { 0x2104, 0x1badb002, 0, 0u - 0x1badb002, "in the first 8 KiB only" },
        { 0x104,  0xe85250d6, 0, 0u - 0xe85250ee, "at offset 0x104, which is no multiple of 8" },
        { 0x108,  0xe85250d6, 0, 0u - 0xe85250d6, "is 0x17adaf2a and must be 0x17adaf12" },
    };

    for (size_t i = 0; i < NELEM(row); i++) {
        struct fixture *f = fresh();
        const uint32_t one[3] = { row[i].magic, row[i].flags, row[i].checksum };
        const uint32_t two[4] = { row[i].magic, row[i].flags, 24, row[i].checksum };

        make_elf32(f);
        if (row[i].magic == 0x1badb002)
            memcpy(f->file + row[i].at, one, sizeof(one));
        else
            memcpy(f->file + row[i].at, two, sizeof(two));
        f->size = 0x2200;
        assert_int_equal(load(f, NULL, 0), 0);
        assert_int_equal(f->out.format, LOAD_ELF);
        if (!strstr(f->out.note, row[i].note))
            fail_msg("row %zu: \"%s\", expected \"%s\"", i, f->out.note, row[i].note);
        done(f);
    }
}

/* The header is there and the entry point is not behind it: run, and told. */
static void test_entry_is_multiboot_header(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    const uint32_t h[3] = { 0x1badb002, 0, 0u - 0x1badb002u };

    make_elf32(f);
    memcpy(f->file + 0x100, h, sizeof(h));
    put(f, 24, 4, 0xc0100000);
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.format, LOAD_MULTIBOOT);
    assert_non_null(strstr(f->out.note, "its entry point 0x100000 is its Multiboot header"));
    put(f, 24, 4, 0xc010000c);
    assert_int_equal(load(f, NULL, 0), 0);
    assert_string_equal(f->out.note, "");
    put(f, 24, 4, 0xc0100000);
    f->r.format = "elf";
    assert_int_equal(load(f, NULL, 0), 0);
    assert_non_null(strstr(f->out.note, "its entry point 0x100000 is its Multiboot header"));
    done(f);
}

/* Code that asks for a Multiboot loader in a file without its header. */
static void test_dropped_multiboot_header(void **state)
{
    (void)state;
    static const uint32_t answer[] = { 0x2badb002, 0x36d76289 };
    char what[16];

    for (size_t i = 0; i < NELEM(answer); i++) {
        struct fixture *f = fresh();
        make_elf32(f);
        put(f, 0x105, 4, answer[i]);
        assert_int_equal(load(f, NULL, 0), 0);
        assert_int_equal(f->out.format, LOAD_ELF);
        snprintf(what, sizeof(what), "(%#x)", answer[i]);
        assert_non_null(strstr(f->out.note, what));
        assert_non_null(strstr(f->out.note, "--gc-sections"));
        done(f);
    }
}

/* A plain `ld -Ttext=0x100000`: the first segment is the headers of the file, at 0xff000. */
static void test_headers_below_1_mib(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    uint32_t rom;

    make_elf32(f);
    put(f, 56, 4, 0);                   /* offset, and physical address */
    put(f, 64, 4, 0xff000);
    put(f, 60, 4, 0xff000);
    put(f, 68, 4, 0x74);
    put(f, 72, 4, 0x74);
    put(f, 84 + 4, 4, 0x100);           /* the second segment is the code */
    put(f, 84 + 8, 4, 0x100000);
    put(f, 84 + 12, 4, 0x100000);
    put(f, 84 + 16, 4, 0x10);
    put(f, 24, 4, 0x100004);
    assert_int_equal(load(f, NULL, 0), 0);
    expect_flat32(f, 0x100004);
    rom = read32(f->m, 0xff000);
    assert_int_not_equal(rom, 0x464c457f);
    /* Headers and code in one segment, as with -z noseparate-code. */
    make_elf32(f);
    memset(f->file + 0x100, 0, 0x10);
    f->file[0x1004] = 0xf4;
    f->size = 0x1010;
    put(f, 56, 4, 0);
    put(f, 60, 4, 0xff000);
    put(f, 64, 4, 0xff000);
    put(f, 68, 4, 0x1010);
    put(f, 72, 4, 0x2000);
    put(f, 24, 4, 0x100004);
    assert_int_equal(load(f, NULL, 0), 0);
    expect_flat32(f, 0x100004);
    assert_int_equal(read32(f->m, 0x100004) & 0xff, 0xf4);
    assert_int_equal(read32(f->m, 0xff000), rom);
    /* Code there is no padding. */
    f->file[0x200] = 0x90;
    assert_int_equal(load(f, NULL, 0), -ENOMEM);
    done(f);
}

static void test_linux(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    struct load_file initrd[2] = { { "cpio1", 5, "a" }, { "cpio2", 5, "b" } };

    make_linux(f);
    f->r.append = "console=ttyS0";
    assert_int_equal(load(f, initrd, 2), 0);
    assert_int_equal(f->out.format, LOAD_LINUX);
    expect_flat32_by(f, 0x200000, 0x10);
    assert_int_equal(read32(f->m, 0x200000) & 0xff, 0xfa);
    gpa_t zp = f->out.cpu.gpr[RSI];
    assert_int_equal(zp % PAGE_SIZE, 0);
    assert_int_equal(read32(f->m, zp + 0x202), 0x53726448);
    assert_int_equal(read32(f->m, zp + 0x210) & 0xff, 0xff);
    assert_int_equal(read32(f->m, zp + 0x214), 0x200000);
    assert_int_equal(read32(f->m, zp + 0x1e0), 15 * 1024);
    assert_int_equal(read32(f->m, zp + 6) & 0xffff, 80 << 8 | 3);
    expect_text(f->m, read32(f->m, zp + 0x228), "console=ttyS0");
    /* The initrd: as high as allowed, joined on 4-byte boundaries. */
    gpa_t rd = read32(f->m, zp + 0x218);
    assert_int_equal(read32(f->m, zp + 0x21c), 16);
    assert_int_equal(rd, 0x1000000 - PAGE_SIZE);
    assert_memory_equal(gmem_ptr(f->m, rd, 16), "cpio1\0\0\0cpio2\0\0\0", 16);
    assert_int_equal(read32(f->m, zp + 0x1e8) & 0xff, 4);
    assert_int_equal(read32(f->m, zp + 0x2d0 + 8), 0x9fc00);
    assert_int_equal(read32(f->m, zp + 0x2d0 + 16), E820_RAM);
    done(f);
}

static void test_linux64(void **state)
{
    (void)state;
    struct fixture *f = fresh();

    make_linux(f);
    f->r.format = "linux64";
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.cpu.rip, 0x200200);
    assert_int_equal(f->out.cpu.efer, EFER_LME | EFER_LMA);
    done(f);
}

static void test_boot(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    struct cpu_state reset;
    char diff[256];

    make_boot(f);
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.format, LOAD_BOOT);
    cpu_state_reset(&reset);
    assert_int_equal(cpu_state_diff(&reset, &f->out.cpu, ST_ALL, diff, sizeof(diff)), 0);
    assert_int_equal(read32(f->m, 0xfffffff0) & 0xff, 0xea);    /* the ROM is there, twice */
    assert_int_equal(read32(f->m, 0xffff0) & 0xff, 0xea);
    assert_memory_equal(gmem_ptr(f->m, 0x9fc10, 4), "VBIO", 4);
    assert_int_equal(read32(f->m, 0x9fc14), 0xe98000);          /* 1.44 MB, to the end of RAM */
    assert_int_equal(read32(f->m, 0x9fc18), 2880);
    assert_int_equal(read32(f->m, 0xe98200) & 0xff, 0x77);
    assert_int_equal(read32(f->m, 0xe98400), 0);                /* zeros behind the file */
    assert_int_equal(read32(f->m, 0x9fc22), 0x0500);            /* drive 0, 5 map entries */
    assert_int_equal(read32(f->m, 0x9fc40 + 3 * 20), 0xe98000); /* the disk is reserved */
    assert_int_equal(read32(f->m, 0x9fc40 + 3 * 20 + 16), E820_RESERVED);
    done(f);
}

/* Which disk an image is: sectors, geometry and drive, from its size, partitions and --format. */
static void test_which_disk(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        bool partitions;
        const char *format;
        uint32_t sectors;
        uint16_t per_track, heads;
        uint8_t drive;
    } row[] = {
        { 512,     false, NULL,        2880, 18, 2,  0 },
        { 700,     false, NULL,        2880, 18, 2,  0 },
        { 368640,  false, NULL,        720,  9,  2,  0 },
        { 1474560, false, NULL,        2880, 18, 2,  0 },
        { 1474561, false, NULL,        5760, 36, 2,  0 },
        { 2949121, false, NULL,        5761, 63, 16, 0x80 },
        { 1024,    true,  NULL,        2,    63, 16, 0x80 },
        { 1024,    true,  "boot:0",    2880, 18, 2,  0 },
        { 1000,    false, "boot:0x80", 2,    63, 16, 0x80 },
    };

    for (size_t i = 0; i < NELEM(row); i++) {
        struct fixture *f = fresh();
        uint8_t *bytes = calloc(1, row[i].bytes);
        struct load_file image = { bytes, row[i].bytes, f->r.path };

        bytes[510] = 0x55;
        bytes[511] = 0xaa;
        if (row[i].partitions)
            memcpy(bytes + 446, "\x80\1\1\0\x83\1\1\0\1\0\0\0\1\0\0\0", 16);
        f->r.format = row[i].format;
        assert_int_equal(load_guest_mem(f->m, &f->r, &image, NULL, NULL, 0, &f->out, f->why,
                                        sizeof(f->why)), 0);
        assert_int_equal(read32(f->m, 0x9fc18), row[i].sectors);
        assert_int_equal(read32(f->m, 0x9fc1c), row[i].heads << 16 | row[i].per_track);
        assert_int_equal(read32(f->m, 0x9fc22) & 0xff, row[i].drive);
        free(bytes);
        done(f);
    }
}

/* Little memory: a smaller diskette, and if that does not help, how much would. */
static void test_small_memory_disk(void **state)
{
    (void)state;
    struct fixture *f = fresh();

    gmem_free(f->m);
    f->m = machine(2 * MIB);
    make_boot(f);
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(read32(f->m, 0x9fc18), 1440);
    f->r.format = "boot:0x80";
    f->size = sizeof(f->file);
    assert_int_equal(load(f, NULL, 0), 0);
    done(f);
}

/* A disk that holds a Multiboot magic among its first sectors is a disk. */
static void test_disk_with_magic(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    const uint32_t h[3] = { 0x1badb002, 0, 0u - 0x1badb002u };

    make_boot(f);
    memcpy(f->file + 0x300, h, sizeof(h));
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.format, LOAD_BOOT);
    done(f);
}

/* Bytes that go into ROM are seen in both places. */
static void test_flat_in_rom(void **state)
{
    (void)state;
    struct fixture *f = fresh();

    make_flat(f);
    f->r.format = "flat@0xf0000:16";
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(f->out.cpu.seg[SEG_CS].sel, 0xf000);
    assert_int_equal(read32(f->m, 0xf0000), 0xf4);
    assert_int_equal(read32(f->m, 0xffff0000), 0xf4);
    f->r.format = "flat@0xffff8000";
    assert_int_equal(load(f, NULL, 0), 0);
    assert_int_equal(read32(f->m, 0xf8000), 0xf4);
    f->r.format = "flat@0xd0000";
    assert_int_equal(load(f, NULL, 0), -ENOMEM);
    done(f);
}

static void test_flat(void **state)
{
    (void)state;
    static const struct { const char *format; uint64_t entry; uint16_t cs; bool pe, lm; } row[] = {
        { "flat",            0x100000, 0x08,   true,  false },
        { "flat@0x9000",     0x9000,   0x08,   true,  false },
        { "flat:16",         0x7c00,   0,      false, false },
        { "flat@0x12345:16", 0x12345,  0x1234, false, false },
        { "flat@2097152:64", 0x200000, 0x08,   true,  true  },
    };

    for (size_t i = 0; i < NELEM(row); i++) {
        struct fixture *f = fresh();
        const struct cpu_state *s = &f->out.cpu;

        make_flat(f);
        f->r.format = row[i].format;
        assert_int_equal(load(f, NULL, 0), 0);
        assert_int_equal(f->out.entry, row[i].entry);
        assert_int_equal(s->seg[SEG_CS].sel, row[i].cs);
        assert_int_equal(s->rip + s->seg[SEG_CS].base, row[i].entry);
        assert_int_equal(!!(s->cr0 & CR0_PE), row[i].pe);
        assert_int_equal(!!(s->efer & EFER_LMA), row[i].lm);
        assert_int_equal(read32(f->m, row[i].entry) & 0xff, 0xf4);
        done(f);
    }
}

/* ---- broken ones: a good image with one field changed, and the sentence ---- */

static void shorten(struct fixture *f, uint64_t size)
{
    f->size = size;
}

/* row: image, offset, bytes and value of the change (bytes 0: the file is cut at `at`),
 * format asked for, and what the sentence must hold. */
static const struct broken {
    void (*make)(struct fixture *f);
    uint64_t at;
    unsigned bytes;
    uint64_t value;
    const char *format, *sentence;
} broken[] = {
    { make_elf32, 0,    0, 0,          NULL, "the file is empty" },
    { make_elf32, 0,    1, 0,          NULL, "it is not an ELF file, a Multiboot kernel" },
    { make_elf32, 0,    2, 0x8b1f,     NULL, "gunzip it first" },
    { make_elf32, 0,    1, 0,          "elf", "it is not an ELF file" },
    { make_elf32, 4,    0, 0,          NULL, "ELF header is damaged or cut off" },
    { make_elf32, 30,   0, 0,          NULL, "ELF header is damaged or cut off" },
    { make_elf32, 4,    1, 9,          NULL, "ELF header is damaged or cut off" },
    { make_elf32, 5,    1, 2,          NULL, "big-endian" },
    { make_elf32, 16,   2, ET_REL,     NULL, "an object file; link it" },
    { make_elf32, 16,   2, ET_DYN,     NULL, "position-independent; link it with -no-pie" },
    { make_elf32, 16,   2, ET_CORE,    NULL, "a core dump" },
    { make_elf32, 18,   2, 40,         NULL, "machine 40, not for i386" },
    { make_elf32, 18,   2, EM_X86_64,  NULL, "32-bit ELF file of x86-64 code" },
    { make_elf64, 18,   2, EM_386,     NULL, "64-bit ELF file of i386 code" },
    { make_elf32, 24,   4, 0x300000,   NULL, "entry point 0x300000 is in none of its segments" },
    { make_elf32, 28,   4, 0xfffffff0, NULL, "no loadable segment" },
    { make_elf32, 44,   2, 0,          NULL, "no loadable segment" },
    { make_elf32, 44,   2, 0xfffe,     NULL, "it is truncated" },
    { make_elf32, 0x108, 0, 0,         NULL, "from offset 0x100, but the file ends at 0x108" },
    { make_elf32, 56,   4, 0xfffffff0, NULL, "but the file ends at 0x110; it is truncated" },
    { make_elf32, 68,   4, 0x40,       NULL, "it is truncated" },
    { make_elf32, 72,   4, 8,          NULL, "more bytes in the file (0x10) than in memory (0x8)" },
    { make_elf32, 64,   4, 0xb8000,    NULL, "at 0xb8000-0xb8020 is not in RAM (usable: 0-0x9fc00, "
                                             "0x100000-0x1000000); the screen's memory and the "
                                             "BIOS are there; link it at 0x100000" },
    { make_elf32, 64,   4, 0xc0100000, NULL, "a PC has no RAM there; a kernel that is linked high "
                                             "needs a load address, AT(" },
    { make_elf32, 64,   4, 0x1234567,  NULL, "is not in RAM (usable: 0-0x9fc00, 0x100000-0x1000000)"
                                             "; --mem 19M would be enough" },
    { make_elf32, 64,   4, 0x9fbf0,    NULL, "at 0x9fbf0-0x9fc10 is not in RAM" },
    { make_elf32, 64,   4, 0xfffffff0, NULL, "is not in RAM" },
    { make_elf32, 64,   4, 0xfff0,     "multiboot", "no Multiboot header" },
    { make_elf32, 64,   4, 0x1ffff0,   NULL, "overlaps a segment at 0x1ffff0-0x200010" },
    { make_elf32, 72,   4, 0xf0000000, NULL, "is not in RAM" },
    { make_elf64, 0x58, 8, ~UINT64_C(0xff), NULL, "wraps around the end of the address space" },
    { make_elf64, 0x68, 8, ~UINT64_C(0),    NULL, "wraps around the end of the address space" },
    { make_elf64, 0x48, 8, ~UINT64_C(0),    NULL, "it is truncated" },
    { make_elf64, 0x60, 8, ~UINT64_C(0),    NULL, "it is truncated" },
    { make_elf64, 0x58, 8, 0x1000,     NULL, NULL },
    { make_multiboot, 0x14, 4, 0x10043, NULL, "it is not an ELF file, a Multiboot kernel, a Linux "
                                              "bzImage or a disk image with a boot sector (the "
                                              "checksum of its Multiboot header at 0x10 is" },
    { make_multiboot, 0x14, 4, 0x10043, "multiboot", "it is no Multiboot kernel: the checksum" },
    { make_multiboot2, 0x14, 4, 3,     NULL, "the checksum of its Multiboot header" },
    { make_multiboot2, 0,    4, 0,     "multiboot", "it has no Multiboot header (magic 0x1badb002" },
    { make_multiboot2, 0x24, 4, 4,     NULL, "tag 2 of its Multiboot 2 header has a size of 4" },
    { make_multiboot2, 0x24, 4, 16,    NULL, "tag 2 of its Multiboot 2 header has only 16 bytes" },
    { make_multiboot2, 0x24, 4, ~0u,   NULL, "which does not fit in" },
    { make_multiboot2, 0x20, 2, 99,    NULL, "demands tag 99" },
    { make_multiboot2, 0x38, 2, 21,    NULL, "demands tag 21" },
    { make_multiboot2, 0x38, 2, 4,     NULL, "no entry address tag" },
    { make_multiboot2, 0x48, 2, 4,     NULL, "have no end" },
    { make_multiboot2, 0x1b0, 0, 0,    NULL, "asks for bytes the file does not have" },
    { make_multiboot2, 0x40, 4, 0x500000, NULL, "is outside the loaded bytes" },
    { make_elf32, 64,   4, 0xfff0,     "multiboot2", "no Multiboot header (magic 0xe85250d6" },
    { make_multiboot, 0x28, 0, 0,      NULL, "cut off by the end of the file" },
    { make_multiboot, 0x1c, 4, 0x100000, NULL, "load_end_addr 0x100200 asks for bytes" },
    { make_multiboot, 0x20, 4, 0x200000, NULL, "do not fit a header at offset 0x10" },
    { make_multiboot, 0x20, 4, 0x0ffff0, NULL, "do not fit a header at offset 0x10" },
    { make_multiboot, 0x24, 4, 0x100300, NULL, "load_end_addr 0x100300 asks for bytes" },
    { make_multiboot, 0x24, 4, 0x10,   NULL, "load_end_addr 0x10 asks for bytes" },
    { make_multiboot, 0x28, 4, 0x100100, NULL, "bss_end_addr 0x100100 lies before" },
    { make_multiboot, 0x28, 4, 0xf0000000, NULL, "is not in RAM" },
    { make_multiboot, 0x2c, 4, 0x100200, NULL, "entry_addr 0x100200 is outside" },
    { make_multiboot, 0,    4, 0,      "linux", "no Linux setup header" },
    { make_linux, 0x230, 0, 0,         NULL, "past the end of the file; it is truncated" },
    { make_linux, 0x6e0, 0, 0,         NULL, "promises 0x300 bytes of kernel from offset 0x400" },
    { make_linux, 0x1f1, 1, 0xff,      NULL, "it is truncated" },
    { make_linux, 0x1f4, 4, ~0u,       NULL, "it is truncated" },
    { make_linux, 0x206, 2, 0x0205,    NULL, "boot protocol 2.05; 2.06 or later" },
    { make_linux, 0x211, 1, 0,         NULL, "it is a zImage" },
    { make_linux, 0x236, 2, 0,         "linux64", "no 64-bit entry point" },
    { make_linux, 0x238, 4, 3,         NULL, "command line has 4 characters, and this kernel "
                                             "takes at most 3" },
    { make_linux, 0x258, 8, 0x1000,    NULL, "not between 1 MiB and 4 GiB" },
    { make_linux, 0x258, 8, BIT(63),   NULL, "not between 1 MiB and 4 GiB" },
    { make_linux, 0x260, 4, ~0u,       NULL, "is not in RAM" },
    { make_boot, 1000,  0, 0,          NULL, NULL },
    { make_boot, 510,   2, 0,          "boot", "no boot sector: bytes 510 and 511 are 00 00 and not" },
    { make_boot, 510,   2, 0x55aa,     "boot", "bytes 510 and 511 are aa 55, which is the signature "
                                               "swapped" },
    { make_boot, 510,   2, 0x55aa,     NULL, "a disk image with a boot sector (bytes 510 and 511 are "
                                             "aa 55, which is the signature swapped" },
    { make_boot, 500,   0, 0,          NULL, "it has 500 bytes and no signature: a boot sector has 512" },
    { make_boot, 508,   6, UINT64_C(0xaa5500000000), NULL, "signature 55 aa is at offset 512 and not at "
                                             "510: the sector has 2 bytes too many" },
    { make_boot, 506,   6, 0xaa55,     NULL, "is at offset 506 and not at 510: pad the sector with 4" },
    { make_boot, 0,     1, 0,          "boot:1", "is not boot[:0|0x80]" },
    { make_boot, 0,     1, 0,          "floppy", "there is no format \"floppy\"" },
    { make_flat, 0,     1, 0,          "flat@", "is not flat[@ADDR][:16|32|64]" },
    { make_flat, 0,     1, 0,          "flat@-1", "is not flat[@ADDR][:16|32|64]" },
    { make_flat, 0,     1, 0,          "flat:33", "is not flat[@ADDR][:16|32|64]" },
    { make_flat, 0,     1, 0,          "flat:32x", "is not flat[@ADDR][:16|32|64]" },
    { make_flat, 0,     1, 0,          "flat@0x9ff00000", "--mem 2560M would be enough" },
    { make_flat, 0,     1, 0,          "flatter", "there is no format \"flatter\"" },
    { make_flat, 0,     1, 0,          "flat@0x100000:16", "real mode cannot start at 0x100000" },
    { make_flat, 0,     1, 0,          "flat@0xfffffffffffffff8", "wraps around" },
    { make_flat, 0,     1, 0,          "flat@0x99999999999999999", "is not flat" },
};

static void test_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < NELEM(broken); i++) {
        const struct broken *b = &broken[i];
        struct fixture *f = fresh();
        int err;

        b->make(f);
        f->r.append = "abcd";
        if (b->format)
            f->r.format = b->format;
        if (b->bytes)
            put(f, b->at, b->bytes, b->value);
        else
            shorten(f, b->at);
        err = load(f, NULL, 0);
        if (!b->sentence) {
            assert_int_equal(err, 0);
        } else if (err >= 0 || !strstr(f->why, b->sentence) ||
                   strncmp(f->why, "dir/kernel: ", 12) != 0) {
            fail_msg("broken[%zu]: got %d \"%s\", expected \"%s\"", i, err, f->why, b->sentence);
        }
        done(f);
    }
}

/* Cut every good image at every length: a refusal or a success, never a crash. */
static void test_every_length(void **state)
{
    (void)state;
    static void (*const make[])(struct fixture *) = { make_elf32, make_elf64, make_multiboot,
                                                      make_multiboot2, make_linux, make_boot };

    for (size_t i = 0; i < NELEM(make); i++) {
        struct fixture *f = fresh();
        make[i](f);
        for (uint64_t full = f->size; f->size > 0; f->size--) {
            int err = load(f, NULL, 0);
            assert_true(err == 0 || f->why[0]);
            /* A Linux image cut to its first sector is a good boot sector. */
            if (err == 0 && full - f->size >= 512 && f->out.format != LOAD_BOOT)
                fail_msg("image %zu cut to %#llx of %#llx was loaded", i, (unsigned long long)f->size,
                         (unsigned long long)full);
        }
        done(f);
    }
}

/* A message longer than the buffer is cut, not spilt. */
static void test_short_why(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    struct load_file image = { "x", 1, "name" };
    char why[8] = "1234567";

    assert_int_equal(load_guest_mem(f->m, &f->r, &image, NULL, NULL, 0, &f->out, why, 6), -ENOEXEC);
    assert_string_equal(why, "name:");
    assert_int_equal(why[6], '7');
    done(f);
}

/* ---- files ---- */

static void test_odd_files(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    char dir[] = "/tmp/test_load.XXXXXX", path[64];
    FILE *out;

    assert_non_null(mkdtemp(dir));
    f->r.path = dir;
    assert_int_equal(load_guest(f->m, &f->r, &f->out, f->why, sizeof(f->why)), -EISDIR);
    assert_non_null(strstr(f->why, "it is a directory"));

    snprintf(path, sizeof(path), "%s/x", dir);
    f->r.path = path;
    assert_int_equal(load_guest(f->m, &f->r, &f->out, f->why, sizeof(f->why)), -ENOENT);
    assert_non_null(strstr(f->why, "cannot open it: No such file"));

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(load_guest(f->m, &f->r, &f->out, f->why, sizeof(f->why)), -EINVAL);
    assert_non_null(strstr(f->why, "not a regular file"));
    unlink(path);

    out = fopen(path, "w");
    assert_non_null(out);
    fclose(out);
    assert_int_equal(load_guest(f->m, &f->r, &f->out, f->why, sizeof(f->why)), -ENOEXEC);
    assert_non_null(strstr(f->why, "the file is empty"));
    unlink(path);
    rmdir(dir);
    done(f);
}

/* Modules by path: "FILE ARGS,FILE". */
static void test_module_files(void **state)
{
    (void)state;
    struct fixture *f = fresh();
    char dir[] = "/tmp/test_load.XXXXXX", kernel[64], module[64], initrd[256];
    FILE *out;

    assert_non_null(mkdtemp(dir));
    snprintf(kernel, sizeof(kernel), "%s/k", dir);
    snprintf(module, sizeof(module), "%s/m", dir);
    snprintf(initrd, sizeof(initrd), "%s arg,%s", module, module);
    make_multiboot(f);
    out = fopen(kernel, "w");
    assert_int_equal(fwrite(f->file, 1, f->size, out), f->size);
    fclose(out);
    out = fopen(module, "w");
    fputs("bytes", out);
    fclose(out);

    f->r.path = kernel;
    f->r.initrd = initrd;
    assert_int_equal(load_guest(f->m, &f->r, &f->out, f->why, sizeof(f->why)), 0);
    gpa_t mbi = f->out.cpu.gpr[RBX];
    assert_int_equal(read32(f->m, mbi + 20), 2);
    assert_memory_equal(gmem_ptr(f->m, read32(f->m, read32(f->m, mbi + 24) + 16), 5), "bytes", 5);
    f->r.initrd = "/nowhere/at/all";
    assert_int_equal(load_guest(f->m, &f->r, &f->out, f->why, sizeof(f->why)), -ENOENT);
    unlink(kernel);
    unlink(module);
    rmdir(dir);
    done(f);
}

/* Debian's memtest86+ speaks the Linux boot protocol. */
static void test_memtest(void **state)
{
    (void)state;
    static const struct { const char *path; bool has_64; } row[] = {
        { "/boot/memtest86+ia32.bin", false }, { "/boot/memtest86+x64.bin", true },
    };

    for (size_t i = 0; i < NELEM(row); i++) {
        struct fixture *f = fresh();

        if (access(row[i].path, R_OK)) {
            done(f);
            print_message("skipped: %s is not installed (package memtest86+)\n", row[i].path);
            skip();
        }
        f->r.path = row[i].path;
        f->r.append = "console=ttyS0,115200";
        assert_int_equal(load_guest(f->m, &f->r, &f->out, f->why, sizeof(f->why)), 0);
        assert_int_equal(f->out.format, LOAD_LINUX);
        expect_flat32_by(f, 0x100000, 0x10);
        assert_int_equal(read32(f->m, 0x100000) & 0xffff, 0xfafc);      /* cld; cli */
        f->r.format = "linux64";
        assert_int_equal(load_guest(f->m, &f->r, &f->out, f->why, sizeof(f->why)),
                         row[i].has_64 ? 0 : -ENOTSUP);
        done(f);
    }
}

static void test_e820(void **state)
{
    (void)state;
    static const struct e820_entry expect[] = {
        { 0, 0x9fc00, E820_RAM },
        { 0x9fc00, 0x60400, E820_RESERVED },
        { MIB, 15 * MIB, E820_RAM },
        { BIOS_ALIAS_BASE, BIOS_SIZE, E820_RESERVED },
    };
    struct e820_entry got[E820_MAX];
    struct gmem *m = machine(16 * MIB);

    assert_int_equal(e820_make(m, got), NELEM(expect));
    assert_memory_equal(got, expect, sizeof(expect));
    gmem_free(m);

    /* One region from 0, as a test or another machine may have it: the same hole. */
    m = gmem_new();
    assert_int_equal(gmem_add(m, "all", 0, 2 * MIB, GMEM_RAM), 0);
    assert_int_equal(e820_make(m, got), 3);
    assert_memory_equal(got, expect, 2 * sizeof(expect[0]));
    assert_int_equal(got[2].base, MIB);
    assert_int_equal(got[2].len, MIB);
    gmem_free(m);
}

/* ---- a BIOS of the user's ---- */

/* An image of `size` bytes, placed into a machine whose ROM has BIOS_SIZE.  The result. */
static int load_bios_image(struct fixture *f, uint64_t size)
{
    uint8_t *bytes = calloc(1, size);
    struct load_file bios = { bytes, size, "rom" };
    int err;

    bytes[0] = 0x11;
    bytes[size - 1] = 0x22;
    f->bios = &bios;
    f->r.bios = "rom";
    err = load(f, NULL, 0);
    f->bios = NULL;
    free(bytes);
    return err;
}

static void test_bios_image_is_seen_twice(void **state)
{
    struct fixture *f = fresh();
    uint8_t ends[4];
    (void)state;

    f->size = 1;
    f->r.path = "rom";
    assert_int_equal(load_bios_image(f, BIOS_SIZE), 0);
    gmem_read(f->m, BIOS_BASE, ends, 1);
    gmem_read(f->m, MIB - 1, ends + 1, 1);
    gmem_read(f->m, BIOS_ALIAS_BASE, ends + 2, 1);
    gmem_read(f->m, UINT64_C(0xffffffff), ends + 3, 1);
    assert_memory_equal(ends, "\x11\x22\x11\x22", 4);
    assert_int_equal(f->out.entry, UINT64_C(0xfffffff0));
    assert_int_equal(f->out.cpu.seg[SEG_CS].sel, 0xf000);
    assert_int_equal(f->out.cpu.cr0 & CR0_PE, 0);
    assert_int_equal(read32(f->m, 0), 0);               /* no vectors are made for it */
    done(f);
}

static void test_bios_image_of_another_size(void **state)
{
    static const uint64_t sizes[] = { 1, BIOS_SIZE - 1, BIOS_SIZE + 1, 2 * BIOS_SIZE };
    (void)state;

    for (size_t i = 0; i < NELEM(sizes); i++) {
        struct fixture *f = fresh();
        f->size = 1;
        f->r.path = "rom";
        assert_int_equal(load_bios_image(f, sizes[i]), -EINVAL);
        assert_non_null(strstr(f->why, "64, 128 or 256 KiB"));
        done(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e820),
        cmocka_unit_test(test_elf32),
        cmocka_unit_test(test_elf64),
        cmocka_unit_test(test_multiboot),
        cmocka_unit_test(test_multiboot_elf),
        cmocka_unit_test(test_multiboot_elf64),
        cmocka_unit_test(test_multiboot_leaves_a_stack),
        cmocka_unit_test(test_multiboot2),
        cmocka_unit_test(test_multiboot2_elf64),
        cmocka_unit_test(test_useless_multiboot_header),
        cmocka_unit_test(test_entry_is_multiboot_header),
        cmocka_unit_test(test_dropped_multiboot_header),
        cmocka_unit_test(test_headers_below_1_mib),
        cmocka_unit_test(test_bios_areas),
        cmocka_unit_test(test_linux),
        cmocka_unit_test(test_linux64),
        cmocka_unit_test(test_boot),
        cmocka_unit_test(test_bios_image_is_seen_twice),
        cmocka_unit_test(test_bios_image_of_another_size),
        cmocka_unit_test(test_which_disk),
        cmocka_unit_test(test_small_memory_disk),
        cmocka_unit_test(test_disk_with_magic),
        cmocka_unit_test(test_flat_in_rom),
        cmocka_unit_test(test_flat),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_short_why),
        cmocka_unit_test(test_odd_files),
        cmocka_unit_test(test_module_files),
        cmocka_unit_test(test_memtest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
