/*
 * vm/load_enter.c -- the CPU as a boot loader hands it over.
 *
 * Three ways in: real mode, 32-bit protected mode with flat segments, and long
 * mode with the first 4 GiB mapped onto themselves.  The descriptors and page
 * tables are made in low guest memory as a boot loader would make them, so a
 * guest that reloads a segment register finds what it is running on.
 *
 * The selectors are those that the kernel's other loaders use, since kernels come to lean on them:
 * 0x08 for code and 0x10 for data (QEMU, GRUB Legacy, and every tutorial), except in the Linux
 * boot protocol, which demands 0x10 and 0x18.
 *
 * Memory is as a BIOS leaves it: the interrupt vectors and the BIOS data area are filled
 * (load_bios.c).
 * [Linux "The Linux/x86 Boot Protocol", "32-bit Boot Protocol"]
 */
#include <string.h>
#include "base/x86.h"
#include "mem/gmem.h"
#include "vm/loading.h"

/* Where GRUB's stack begins; below it lie 63 KiB that nobody else uses. */
#define STACK_TOP  0x7ff00u
#define STACK_BASE 0x70000u
#define STACK_END  0x80000u

/* Types with Accessed set: what the hidden part shows after a load. */
#define TYPE_DATA 0x3
#define TYPE_CODE 0xb
#define TYPE_TSS_BUSY 0xb

/* Attributes of 4 GiB of data, and of a 16-bit segment's 64 KiB of code or data. */
#define DATA_FLAT (SEG_G | SEG_DB | SEG_P | SEG_S | TYPE_DATA)
#define CODE_16   (SEG_P | SEG_S | TYPE_CODE)
#define DATA_16   (SEG_P | SEG_S | TYPE_DATA)

/* The selectors of a kind of loader.  small_code, if not 0, names a 16-bit code segment, with the
 * data segment behind it, for kernels that go back to real mode. */
static const struct boot_gdt { uint16_t code, data, small_code; } boot_gdts[] = {
    [BOOT_GDT_PC]    = { 0x08, 0x10, 0x18 },
    [BOOT_GDT_LINUX] = { 0x10, 0x18, 0 },
};

/* A descriptor with base 0 and these attributes; with SEG_G the limit is 4 GiB.
 * [SDM 3A "Segment Descriptors"] */
static uint64_t descriptor(uint16_t attr)
{
    uint64_t limit = attr & SEG_G ? UINT64_C(0x000f00000000ffff) : 0xffff;
    return limit | (uint64_t)(attr & 0xf0ff) << 40;
}

static struct segment flat_segment(uint16_t sel, uint16_t attr)
{
    return (struct segment){ .sel = sel, .attr = attr, .limit = 0xffffffff, .base = 0 };
}

/* The GDT has a page of its own, so that the first touch of it can be told from others. */
static int place_gdt(struct loading *l, const struct boot_gdt *g, uint16_t code_attr)
{
    uint8_t gdt[PAGE_SIZE] = { 0 };
    gpa_t at;
    int err;

    put64(gdt + g->code, descriptor(code_attr));
    put64(gdt + g->data, descriptor(DATA_FLAT));
    if (g->small_code) {
        put64(gdt + g->small_code, descriptor(CODE_16));
        put64(gdt + g->small_code + 8, descriptor(DATA_16));
    }
    err = load_add(l, "boot GDT", gdt, sizeof(gdt), PAGE_SIZE, &at);
    l->out->cpu.gdtr = (struct table_reg){ at, 5 * 8 - 1 };
    return err;
}

/* GDT and segment registers common to both protected entries. */
static int enter_flat(struct loading *l, enum boot_gdt_kind kind, uint16_t code_attr)
{
    const struct boot_gdt *g = &boot_gdts[kind];
    struct cpu_state *s = &l->out->cpu;
    int err;

    cpu_state_reset(s);
    err = place_gdt(l, g, code_attr);
    if (err)
        return err;
    memset(s->gpr, 0, sizeof(s->gpr));
    s->idtr = (struct table_reg){ 0, 0 };       /* no handlers: a fault is a triple fault */
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        s->seg[i] = flat_segment(g->data, DATA_FLAT);
    s->seg[SEG_CS] = flat_segment(g->code, code_attr);
    s->seg[SEG_LDTR] = (struct segment){ .attr = 0 };
    s->seg[SEG_TR] = (struct segment){ .attr = SEG_P | TYPE_TSS_BUSY, .limit = 0x67 };
    s->cr0 = CR0_PE | CR0_ET;
    s->cr3 = s->cr4 = s->efer = 0;
    s->rflags = FLAG_ONE;
    return 0;
}

int load_enter_flat32(struct loading *l, enum boot_gdt_kind kind, uint64_t entry)
{
    int err = enter_flat(l, kind, SEG_G | SEG_DB | SEG_P | SEG_S | TYPE_CODE);

    l->out->cpu.rip = l->out->entry = entry;
    return err;
}

/* PML4, PDPT and four page directories of 2 MiB pages.  [SDM 3A "4-Level Paging"] */
static int make_identity_map(struct loading *l, gpa_t *root)
{
    uint8_t table[6 * PAGE_SIZE] = { 0 };
    uint8_t *pml4 = table, *pdpt = table + PAGE_SIZE, *pd = table + 2 * PAGE_SIZE;
    gpa_t at;

    if (!load_find(l, sizeof(table), PAGE_SIZE, PAGE_SIZE, LOW_TOP, LOAD_HIGHEST, &at))
        return load_add(l, "boot page tables", NULL, sizeof(table), PAGE_SIZE, root);
    put64(pml4, (at + PAGE_SIZE) | PTE_P | PTE_W);
    for (unsigned g = 0; g < 4; g++)
        put64(pdpt + 8 * g, (at + (2 + g) * PAGE_SIZE) | PTE_P | PTE_W);
    for (uint64_t i = 0; i < 4 * 512; i++)
        put64(pd + 8 * i, i << 21 | PTE_P | PTE_W | PTE_PS);
    *root = at;
    return load_place(l, "boot page tables", at, table, sizeof(table), sizeof(table));
}

/* Long mode cannot be without paging, so there must be tables from the first instruction on.
 * The state is the one that the usual switch leaves: PAE, then LME, then PG, which sets LMA.
 * [SDM 3A "Initializing IA-32e Mode"] */
int load_enter_long(struct loading *l, enum boot_gdt_kind kind, uint64_t entry)
{
    struct cpu_state *s = &l->out->cpu;
    gpa_t root;
    int err;

    err = make_identity_map(l, &root);
    if (!err)
        err = enter_flat(l, kind, SEG_G | SEG_L | SEG_P | SEG_S | TYPE_CODE);
    if (err)
        return err;
    s->cr3 = root;
    s->cr4 = CR4_PAE;
    s->efer = EFER_LME | EFER_LMA;
    s->cr0 |= CR0_PG;
    s->rip = l->out->entry = entry;
    return 0;
}

/* An address is segment * 16 + offset in real mode.  Below 64 KiB the segment is 0, as a BIOS
 * jumps to a boot sector: code that uses absolute offsets expects that.
 * [SDM 3B "Real-Address Mode"] */
void load_enter_real(struct loading *l, uint32_t entry, uint16_t sp)
{
    struct cpu_state *s = &l->out->cpu;
    uint32_t cs = entry < 0x10000 ? 0 : entry >> 4;

    cpu_state_reset(s);
    memset(s->gpr, 0, sizeof(s->gpr));
    s->seg[SEG_CS].sel = (uint16_t)cs;
    s->seg[SEG_CS].base = cs << 4;
    s->rip = entry - (cs << 4);
    s->gpr[RSP] = sp;
    l->out->entry = entry;
}

/* The reset state begins 16 bytes below 4 GiB, in the BIOS's ROM.  A machine that does not show it
 * there begins where it is. */
void load_enter_reset(struct loading *l)
{
    struct cpu_state *s = &l->out->cpu;

    cpu_state_reset(s);
    if (!gmem_find(l->m, BIOS_ALIAS_BASE + BIOS_SIZE - 1))
        s->seg[SEG_CS].base = BIOS_BASE;
    l->out->entry = s->seg[SEG_CS].base + s->rip;
}

/* At GRUB's address if the guest has left it free, else 4 KiB anywhere in low memory. */
int load_stack(struct loading *l)
{
    gpa_t at;
    int err;

    if (load_is_free(l, STACK_BASE, STACK_END - STACK_BASE)) {
        err = load_reserve(l, "boot stack", STACK_BASE, STACK_END - STACK_BASE);
        l->out->cpu.gpr[RSP] = STACK_TOP;
        return err;
    }
    err = load_add(l, "boot stack", NULL, PAGE_SIZE, PAGE_SIZE, &at);
    l->out->cpu.gpr[RSP] = err ? 0 : at + PAGE_SIZE;
    return err;
}
