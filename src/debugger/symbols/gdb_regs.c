/*
 * debugger/symbols/gdb_regs.c -- the tables of registers for GDB, the bytes of a register, and
 * the XML text.
 *
 * A row of a table says where a register is in struct cpu_state and how wide it is there and
 * on the wire; nearly all registers are then copied byte for byte, since both are
 * little-endian.
 *
 * Begin reading with make_table().
 */
#include "debugger/symbols/gdb_regs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/x86.h"
#include "cpu/regs.h"

#define MAX_REGS 160

const char *const gdb_arch_names[N_GDB_ARCHS] = { "i8086", "i386", "i386:x86-64" };

/* Registers that are more than a copy: the program counter gets the base of CS added, and the
 * x87 tag word is packed differently in memory and on the wire. */
enum { PLAIN, PC, TAGS };               /* special */
enum { CORE, SSE, SEGMENTS, SYSTEM, N_FEATURES };

/* GDB knows registers by the feature they are listed in; those of org.gnu.gdb.i386 must have
 * GDB's names, and it works with them.  Ours (system) it only shows.  [GDB manual "i386
 * Features"] */
static const char *const features[N_FEATURES] = {
    "org.gnu.gdb.i386.core", "org.gnu.gdb.i386.sse", "org.gnu.gdb.i386.segments",
    "org.vitrine.system",
};

/* Made when first needed, and kept as long as the program runs. */
static struct table {
    struct gdb_reg reg[MAX_REGS];
    size_t         n, in_g;             /* rows; how many of them are in `g` */
    char          *xml;                 /* NULL: not made yet */
    size_t         n_xml;
} tables[N_GDB_ARCHS];

/* ---- making the tables ---- */

/* Offset and width of a member of cpu_state; and the offset of a byte of its FXSAVE image. */
#define AT(member) offsetof(struct cpu_state, member), sizeof(((struct cpu_state *)0)->member)
#define FX(at)     (uint16_t)(offsetof(struct cpu_state, fpu) + (at))

/* Append a row.  Its place in the table is its number in the protocol. */
static void add_register(struct table *t, const char *name, const char *type, size_t offset,
                         size_t bytes, size_t wire, unsigned st, unsigned feature)
{
    struct gdb_reg *r = &t->reg[t->n];
    if (t->n == MAX_REGS)
        return;
    t->n++;
    *r = (struct gdb_reg){ .type = type, .offset = (uint16_t)offset, .bytes = (uint8_t)bytes,
                           .wire = (uint8_t)wire, .st = (uint8_t)st, .feature = (uint8_t)feature };
    snprintf(r->name, sizeof r->name, "%s", name);
}

/* The manual numbers the registers A C D B; GDB does so in 32-bit code, but in 64-bit code it
 * has A B C D and SI DI before BP SP. */
static void add_general(struct table *t, bool wide)
{
    static const uint8_t order32[] = { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
    static const uint8_t order64[] = { RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP,
                                       R8, R9, R10, R11, R12, R13, R14, R15 };
    for (size_t i = 0; i < (wide ? NELEM(order64) : NELEM(order32)); i++) {
        unsigned g = wide ? order64[i] : order32[i];
        char name[8];
        const char *type = g == RSP || g == RBP ? "data_ptr" : wide ? "int64" : "int32";
        snprintf(name, sizeof name, "%s%s", wide ? "" : "e", gpr_names[g] + !wide);
        add_register(t, name, type, offsetof(struct cpu_state, gpr) + 8 * g, 8, wide ? 8 : 4,
                     ST_GPRS, CORE);
    }
    add_register(t, wide ? "rip" : "eip", "code_ptr", AT(rip), wide ? 8 : 4, ST_GPRS, CORE);
    t->reg[t->n - 1].special = PC;
    add_register(t, "eflags", "i386_eflags", AT(rflags), 4, ST_GPRS, CORE);
    static const uint8_t segs[] = { SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS };
    for (size_t i = 0; i < NELEM(segs); i++)
        add_register(t, seg_names[segs[i]], "int32",
            offsetof(struct cpu_state, seg) + segs[i] * sizeof(struct segment) +
                offsetof(struct segment, sel),
            2, 4, ST_SEGS, CORE);
}

/* Where x87 and SSE registers lie in the FXSAVE image, which is how cpu_state keeps them [SDM
 * 1 "FXSAVE Area"]:
 *
 *       0 FCW   2 FSW   4 FTW (1 byte)   6 FOP   8 FIP  12 FCS  16 FDP  20 FDS  24 MXCSR
 *      32 ST0   48 ST1   ...  144 ST7           10 bytes each, 16 apart
 *     160 XMM0 176 XMM1  ...                    16 bytes each
 *
 * GDB wants the x87 control registers as 32-bit numbers. */
static void add_fpu(struct table *t, bool wide)
{
    static const struct { const char *name; uint8_t at, bytes; } x87[] = {
        { "fctrl", 0, 2 }, { "fstat", 2, 2 }, { "ftag", 4, 1 }, { "fiseg", 12, 2 },
        { "fioff", 8, 4 }, { "foseg", 20, 2 }, { "fooff", 16, 4 }, { "fop", 6, 2 },
    };
    char name[8];
    for (unsigned i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "st%u", i);
        add_register(t, name, "i387_ext", FX(32 + 16 * i), 10, 10, ST_FPU, CORE);
    }
    for (size_t i = 0; i < NELEM(x87); i++) {
        add_register(t, x87[i].name, "int", FX(x87[i].at), x87[i].bytes, 4, ST_FPU, CORE);
        t->reg[t->n - 1].group = "float";
        t->reg[t->n - 1].special = x87[i].at == 4 ? TAGS : PLAIN;
    }
    for (unsigned i = 0; i < (wide ? 16 : 8); i++) {
        snprintf(name, sizeof name, "xmm%u", i);
        add_register(t, name, "vec128", FX(160 + 16 * i), 16, 16, ST_FPU, SSE);
    }
    add_register(t, "mxcsr", "i386_mxcsr", FX(24), 4, 4, ST_FPU, SSE);
    t->reg[t->n - 1].group = "vector";
}

/* The XML type that shows a system register bit by bit; NULL: as a number. */
static const char *system_type(const char *name)
{
    static const struct { const char *name, *type; } typed[] = {
        { "cr0", "x86_cr0" }, { "cr4", "x86_cr4" }, { "efer", "x86_efer" },
    };
    for (size_t i = 0; i < NELEM(typed); i++)
        if (strcmp(typed[i].name, name) == 0)
            return typed[i].type;
    return NULL;
}

/* The hidden parts of segment registers, as structures in GDB: struct segment and struct
 * table_reg go over the wire byte for byte.  LDTR and TR are named without "_seg": GDB has no
 * registers of those names. */
static void add_segments(struct table *t)
{
    char name[16];
    for (unsigned i = 0; i < N_SEGS; i++) {
        snprintf(name, sizeof name, i < SEG_LDTR ? "%s_seg" : "%s", seg_names[i]);
        add_register(t, name, "x86_segment",
                     offsetof(struct cpu_state, seg) + i * sizeof(struct segment),
                     sizeof(struct segment), sizeof(struct segment), ST_SEGS, SYSTEM);
    }
    add_register(t, "gdtr", "x86_table", offsetof(struct cpu_state, gdtr), 10, 10, ST_SEGS, SYSTEM);
    add_register(t, "idtr", "x86_table", offsetof(struct cpu_state, idtr), 10, 10, ST_SEGS, SYSTEM);
}

/* Control, debug and model-specific registers: a row of cpu/regs.c each. */
static void add_system(struct table *t)
{
    add_segments(t);
    for (size_t i = 0; i < regs_count(); i++) {
        const struct reg *r = reg_at(i);
        if (r->part || r->group == ST_GPRS || r->group == ST_SEGS)
            continue;
        add_register(t, r->name, system_type(r->name), r->offset, r->bytes, r->bytes, r->group,
                     SYSTEM);
    }
}

/* The order of the calls is the order of GDB's numbers.  What comes before in_g is sent with
 * each `g`; GDB asks for the others only if somebody wants to see them. */
static void make_table(enum gdb_arch a)
{
    struct table *t = &tables[a];
    bool wide = a == GDB_X86_64;
    add_general(t, wide);
    add_fpu(t, wide);
    if (wide) {
        add_register(t, "fs_base", "int64", AT(seg[SEG_FS].base), 8, ST_SEGS, SEGMENTS);
        add_register(t, "gs_base", "int64", AT(seg[SEG_GS].base), 8, ST_SEGS, SEGMENTS);
    }
    t->in_g = t->n;
    add_system(t);
}

static struct table *table_of(enum gdb_arch a)
{
    if (!tables[a].n)
        make_table(a);
    return &tables[a];
}

size_t gdb_reg_count(enum gdb_arch a)   { return table_of(a)->n; }
size_t gdb_reg_in_g(enum gdb_arch a)    { return table_of(a)->in_g; }

const struct gdb_reg *gdb_reg_at(enum gdb_arch a, size_t nr)
{
    const struct table *t = table_of(a);
    return nr < t->n ? &t->reg[nr] : NULL;
}

enum gdb_arch gdb_arch_of(const struct cpu_state *s)
{
    unsigned bits = state_code_bits(s);
    return bits == 64 ? GDB_X86_64 : bits == 32 ? GDB_I386 : GDB_I8086;
}

/* All general registers, the program counter, flags and selectors: the first 16 or 24 rows of
 * add_general().  Unwinding and most commands need no more. */
size_t gdb_reg_expedited(enum gdb_arch a, const uint8_t **numbers)
{
    static const uint8_t narrow[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    static const uint8_t wide[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
                                    18, 19, 20, 21, 22, 23 };
    *numbers = a == GDB_X86_64 ? wide : narrow;
    return a == GDB_X86_64 ? NELEM(wide) : NELEM(narrow);
}

/* ---- the images ---- */

/* The x87 tag word says for each physical register in two bits what it holds: 0 a number, 1
 * zero, 2 special (infinity, NaN, denormal), 3 empty.  FXSAVE keeps one bit, "not empty", so
 * the rest is computed from the contents.  The image has the registers by their distance from
 * the top of the stack, the tags by physical number; TOP is bits 11 to 13 of the status word.
 * [SDM 1 "x87 FPU Tag Word"] */
static uint16_t full_tags(const struct cpu_state *s)
{
    uint16_t tags = 0;
    unsigned top = s->fpu[3] >> 3 & 7;
    for (unsigned phys = 0; phys < 8; phys++) {
        const uint8_t *st = s->fpu + 32 + 16 * ((phys - top) & 7);
        uint64_t mantissa;
        uint16_t exponent;
        unsigned tag = 3;
        memcpy(&mantissa, st, 8);
        memcpy(&exponent, st + 8, 2);
        exponent &= 0x7fff;
        if (s->fpu[4] >> phys & 1)
            tag = exponent == 0x7fff ? 2 : !exponent ? (mantissa ? 2 : 1) : mantissa >> 63 ? 0 : 2;
        tags |= (uint16_t)(tag << 2 * phys);
    }
    return tags;
}

void gdb_reg_read(const struct gdb_reg *r, const struct cpu_state *s, uint8_t out[GDB_REG_BYTES])
{
    memset(out, 0, GDB_REG_BYTES);
    if (r->special == PC) {
        gla_t pc = state_pc(s);
        memcpy(out, &pc, r->wire);
    } else if (r->special == TAGS) {
        uint16_t tags = full_tags(s);
        memcpy(out, &tags, sizeof tags);
    } else {
        memcpy(out, (const char *)s + r->offset, r->bytes < r->wire ? r->bytes : r->wire);
    }
}

/* The other way only "empty or not" is kept. */
static void write_tags(struct cpu_state *s, const uint8_t *in)
{
    uint16_t tags = (uint16_t)(in[0] | in[1] << 8);
    s->fpu[4] = 0;
    for (unsigned phys = 0; phys < 8; phys++)
        if ((tags >> 2 * phys & 3) != 3)
            s->fpu[4] |= (uint8_t)(1u << phys);
}

/* In 16- and 32-bit code RIP is an offset in CS: take the base off again. */
void gdb_reg_write(const struct gdb_reg *r, struct cpu_state *s, const uint8_t in[GDB_REG_BYTES])
{
    if (r->special == PC) {
        uint64_t pc = 0;
        memcpy(&pc, in, r->wire);
        s->rip = state_code_bits(s) == 64 ? pc : (uint32_t)(pc - s->seg[SEG_CS].base);
    } else if (r->special == TAGS) {
        write_tags(s, in);
    } else {
        memcpy((char *)s + r->offset, in, r->bytes < r->wire ? r->bytes : r->wire);
    }
}

/* ---- the text ---- */

/* The types for each feature, which say how GDB shows a register: flags as [ ZF PF ], SSE
 * registers as a union of vectors.  [GDB manual "Target Description Format"] */
static const char types_xml[] =
    "<flags id=\"i386_eflags\" size=\"4\">"
    "<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
    "<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
    "<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
    "<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
    "<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
    "<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
    "<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
    "<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/>"
    "<field name=\"ID\" start=\"21\" end=\"21\"/></flags>";

static const char sse_xml[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/>"
    "<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"
    "<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
    "<field name=\"uint128\" type=\"uint128\"/></union>"
    "<flags id=\"i386_mxcsr\" size=\"4\">"
    "<field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
    "<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/>"
    "<field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/>"
    "<field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
    "<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/>"
    "<field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" start=\"11\" end=\"11\"/>"
    "<field name=\"PM\" start=\"12\" end=\"12\"/>"
    "<field name=\"FZ\" start=\"15\" end=\"15\"/></flags>";

static const char system_xml[] =
    "<flags id=\"x86_rights\" size=\"2\">"
    "<field name=\"TYPE\" start=\"0\" end=\"3\" type=\"uint8\"/>"
    "<field name=\"S\" start=\"4\" end=\"4\"/>"
    "<field name=\"DPL\" start=\"5\" end=\"6\" type=\"uint8\"/>"
    "<field name=\"P\" start=\"7\" end=\"7\"/>"
    "<field name=\"AVL\" start=\"12\" end=\"12\"/><field name=\"L\" start=\"13\" end=\"13\"/>"
    "<field name=\"DB\" start=\"14\" end=\"14\"/>"
    "<field name=\"G\" start=\"15\" end=\"15\"/></flags>"
    "<struct id=\"x86_segment\"><field name=\"selector\" type=\"uint16\"/>"
    "<field name=\"rights\" type=\"x86_rights\"/>"
    "<field name=\"limit\" type=\"uint32\"/><field name=\"base\" type=\"uint64\"/></struct>"
    "<struct id=\"x86_table\"><field name=\"base\" type=\"uint64\"/>"
    "<field name=\"limit\" type=\"uint16\"/></struct>"
    "<flags id=\"x86_cr0\" size=\"8\">"
    "<field name=\"PE\" start=\"0\" end=\"0\"/><field name=\"MP\" start=\"1\" end=\"1\"/>"
    "<field name=\"EM\" start=\"2\" end=\"2\"/><field name=\"TS\" start=\"3\" end=\"3\"/>"
    "<field name=\"ET\" start=\"4\" end=\"4\"/><field name=\"NE\" start=\"5\" end=\"5\"/>"
    "<field name=\"WP\" start=\"16\" end=\"16\"/><field name=\"AM\" start=\"18\" end=\"18\"/>"
    "<field name=\"NW\" start=\"29\" end=\"29\"/><field name=\"CD\" start=\"30\" end=\"30\"/>"
    "<field name=\"PG\" start=\"31\" end=\"31\"/></flags>"
    "<flags id=\"x86_cr4\" size=\"8\">"
    "<field name=\"VME\" start=\"0\" end=\"0\"/><field name=\"PVI\" start=\"1\" end=\"1\"/>"
    "<field name=\"TSD\" start=\"2\" end=\"2\"/><field name=\"DE\" start=\"3\" end=\"3\"/>"
    "<field name=\"PSE\" start=\"4\" end=\"4\"/><field name=\"PAE\" start=\"5\" end=\"5\"/>"
    "<field name=\"MCE\" start=\"6\" end=\"6\"/><field name=\"PGE\" start=\"7\" end=\"7\"/>"
    "<field name=\"PCE\" start=\"8\" end=\"8\"/><field name=\"OSFXSR\" start=\"9\" end=\"9\"/>"
    "<field name=\"OSXMMEXCPT\" start=\"10\" end=\"10\"/>"
    "<field name=\"UMIP\" start=\"11\" end=\"11\"/>"
    "<field name=\"FSGSBASE\" start=\"16\" end=\"16\"/>"
    "<field name=\"PCIDE\" start=\"17\" end=\"17\"/>"
    "<field name=\"OSXSAVE\" start=\"18\" end=\"18\"/>"
    "<field name=\"SMEP\" start=\"20\" end=\"20\"/>"
    "<field name=\"SMAP\" start=\"21\" end=\"21\"/></flags>"
    "<flags id=\"x86_efer\" size=\"8\">"
    "<field name=\"SCE\" start=\"0\" end=\"0\"/><field name=\"LME\" start=\"8\" end=\"8\"/>"
    "<field name=\"LMA\" start=\"10\" end=\"10\"/>"
    "<field name=\"NXE\" start=\"11\" end=\"11\"/></flags>";

static const char *const feature_types[N_FEATURES] = {
    [CORE] = types_xml, [SSE] = sse_xml, [SYSTEM] = system_xml,
};

static void print_reg(FILE *out, const struct gdb_reg *r, size_t nr)
{
    fprintf(out, "<reg name=\"%s\" bitsize=\"%u\" regnum=\"%zu\"", r->name, 8u * r->wire, nr);
    if (r->type)
        fprintf(out, " type=\"%s\"", r->type);
    if (r->group)
        fprintf(out, " group=\"%s\"", r->group);
    fputs("/>", out);
}

/* A <feature> begins whenever the next row belongs to another one; so rows of one feature must
 * stand together. */
const char *gdb_reg_xml(enum gdb_arch a, size_t *n)
{
    struct table *t = table_of(a);
    *n = t->n_xml;
    if (t->xml)
        return t->xml;
    FILE *out = open_memstream(&t->xml, &t->n_xml);
    if (!out)
        return NULL;
    fprintf(out, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
            "<target version=\"1.0\"><architecture>%s</architecture><osabi>none</osabi>",
            gdb_arch_names[a]);
    for (unsigned i = 0; i < N_GDB_ARCHS; i++)      /* the guest's ELF may be of any mode */
        if (i != a)
            fprintf(out, "<compatible>%s</compatible>", gdb_arch_names[i]);
    for (size_t i = 0; i < t->n; i++) {
        if (!i || t->reg[i].feature != t->reg[i - 1].feature) {
            unsigned f = t->reg[i].feature;
            fprintf(out, "%s<feature name=\"%s\">%s", i ? "</feature>" : "", features[f],
                    feature_types[f] ? feature_types[f] : "");
        }
        print_reg(out, &t->reg[i], i);
    }
    fputs("</feature></target>\n", out);
    fclose(out);
    *n = t->n_xml;
    return t->xml;
}

/* ---- LLDB ---- */

/* `offset` counts as if all registers lay one behind the other, and `generic` tells which one
 * is the program counter and so on.  [LLDB "Extensions to the GDB Remote Protocol",
 * qRegisterInfo] */
bool gdb_reg_info(enum gdb_arch a, size_t nr, char *buf, size_t n)
{
    static const struct { const char *name, *generic; } generic[] = {
        { "rip", "pc" }, { "eip", "pc" }, { "rsp", "sp" }, { "esp", "sp" }, { "rbp", "fp" },
        { "ebp", "fp" }, { "eflags", "flags" }, { "rdi", "arg1" }, { "rsi", "arg2" },
        { "rdx", "arg3" }, { "rcx", "arg4" },
    };
    const struct table *t = table_of(a);
    const struct gdb_reg *r = gdb_reg_at(a, nr);
    size_t at = 0;
    if (!r)
        return false;
    for (size_t i = 0; i < nr; i++)
        at += t->reg[i].wire;
    bool vector = r->wire > 8;
    const char *set = r->feature == SYSTEM ? "System"
                    : r->st == ST_FPU      ? "Floating point" : "General";
    int used = snprintf(buf, n, "name:%s;bitsize:%u;offset:%zu;encoding:%s;format:%s;set:%s;",
                        r->name, 8u * r->wire, at, vector ? "vector" : "uint",
                        vector ? "vector-uint8" : "hex", set);
    for (size_t i = 0; i < NELEM(generic) && used > 0 && (size_t)used < n; i++)
        if (strcmp(generic[i].name, r->name) == 0)
            used += snprintf(buf + used, n - (size_t)used, "generic:%s;", generic[i].generic);
    return true;
}
