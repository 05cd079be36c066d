/*
 * debugger/symbols/debuginfo.c -- DWARF by libdw and libdwfl: a sorted table of the names at
 * file scope, which scopes contain an address, and the tables that tell how to unwind.
 *
 * Entries are found here and read elsewhere (type.c, frame.c, expr_name.c).  What libdw hands
 * out belongs to libdw and lives until debuginfo_close(); the arrays of scopes are ours to
 * free and are kept in a small cache.
 *
 * One thing is odd.  Our 64-bit guests come in ELF32 files, because Multiboot loaders take no
 * others.  Most of DWARF says itself how wide an address is, but .debug_frame does not: libdw
 * takes the width from the ELF file's class and would read 64-bit frames wrongly.  So libdw
 * gets that section a second time, in an ELF64 file that we write into memory.
 */
#include "debugger/symbols/debuginfo.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "debugger/symbols/line_table.h"

#define MAX_NAMES (1u << 20)
#define N_PLACES  64                    /* slots of the cache, one for a pc each */

/* What was found for a pc.  A condition at a breakpoint asks for the same pc each time, and a
 * backtrace for a dozen. */
struct place {
    uint64_t     pc;
    bool         has_scopes, has_unwind;
    Dwarf_Die   *scopes;
    int          n_scopes;
    Dwarf_Frame *unwind;
};

struct debuginfo {
    struct source *source;          /* lines and text; it owns `module` */
    Dwfl_Module   *module;
    Dwarf         *dwarf;
    Dwarf_Addr     bias;
    unsigned       address_bytes;

    /* The names at file scope, sorted. */
    bool           listed;          /* the table was made */
    struct debuginfo_name *name;
    size_t         n, cap;

    /* How to unwind, and what is known of some pcs. */
    Dwarf_CFI     *cfi[2];          /* .debug_frame, .eh_frame */
    Dwarf_Addr     cfi_bias[2];
    struct place   place[N_PLACES];

    /* .debug_frame once more, as an ELF64 file in memory. */
    int            wrap_fd;         /* -1: not needed */
    Elf           *wrap_elf;
    Dwarf         *wrap;
};

/* ---- .debug_frame of 64-bit code in an ELF32 file ---- */

/* The bytes of the section with this name; NULL: there is none.  They belong to `elf`. */
static Elf_Data *section_named(Elf *elf, const char *name)
{
    size_t strings;
    GElf_Shdr h;
    if (elf_getshdrstrndx(elf, &strings))
        return NULL;
    for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s)) != NULL; ) {
        const char *is = gelf_getshdr(s, &h) ? elf_strptr(elf, strings, h.sh_name) : NULL;
        if (is && strcmp(is, name) == 0 && h.sh_type == SHT_PROGBITS)
            return elf_getdata(s, NULL);
    }
    return NULL;
}

static bool add_section(Elf *elf, unsigned name, unsigned type, void *bytes, size_t n)
{
    Elf_Scn *s = elf_newscn(elf);
    Elf_Data *d = s ? elf_newdata(s) : NULL;
    Elf64_Shdr *h = s ? elf64_getshdr(s) : NULL;
    if (!d || !h)
        return false;
    *d = (Elf_Data){
        .d_buf = bytes, .d_size = n, .d_type = ELF_T_BYTE, .d_align = 1, .d_version = EV_CURRENT
    };
    h->sh_name = name;
    h->sh_type = type;
    return true;
}

/* Write an ELF64 file that has nothing but this section and the table of section names, in
 * which ".debug_frame" begins at 1 and ".shstrtab" at 14. */
static bool write_wrap(int fd, const Elf_Data *frame)
{
    static char strings[] = "\0.debug_frame\0.shstrtab";
    Elf *elf = elf_begin(fd, ELF_C_WRITE, NULL);
    Elf64_Ehdr *e = elf ? elf64_newehdr(elf) : NULL;
    bool ok = false;
    if (e) {
        e->e_ident[EI_DATA] = ELFDATA2LSB;
        e->e_machine = EM_X86_64;
        e->e_type = ET_EXEC;
        e->e_version = EV_CURRENT;
        e->e_shstrndx = 2;
        ok = add_section(elf, 1, SHT_PROGBITS, frame->d_buf, frame->d_size) &&
             add_section(elf, 14, SHT_STRTAB, strings, sizeof strings) &&
             elf_update(elf, ELF_C_WRITE) > 0;
    }
    elf_end(elf);
    return ok;
}

/* Open .debug_frame once more from an ELF64 file in memory.  If anything fails there is no
 * unwind information; debuginfo_close() frees what was made. */
static void wrap_frames(struct debuginfo *d)
{
    Elf *elf = dwarf_getelf(d->dwarf);
    Elf_Data *frame = section_named(elf, ".debug_frame");
    if (!frame || !frame->d_size)
        return;
    d->wrap_fd = memfd_create("debug_frame", MFD_CLOEXEC);
    if (d->wrap_fd < 0 || !write_wrap(d->wrap_fd, frame))
        return;
    d->wrap_elf = elf_begin(d->wrap_fd, ELF_C_READ_MMAP, NULL);
    d->wrap = d->wrap_elf ? dwarf_begin_elf(d->wrap_elf, DWARF_C_READ, NULL) : NULL;
    d->cfi[0] = d->wrap ? dwarf_getcfi(d->wrap) : NULL;
}

/* Unwind information may be in two sections: .debug_frame is for debuggers, .eh_frame for
 * exceptions of C++ and loaded with the program.  The first that covers a pc is used.  [DWARF
 * 5 "Call Frame Information"; x86-64 psABI "The .eh_frame section"] */
static void find_frames(struct debuginfo *d)
{
    GElf_Ehdr e;
    Elf *elf = dwarf_getelf(d->dwarf);
    if (gelf_getehdr(elf, &e) && e.e_ident[EI_CLASS] == ELFCLASS32 && d->address_bytes == 8) {
        wrap_frames(d);
        return;
    }
    d->cfi[0] = dwfl_module_dwarf_cfi(d->module, &d->cfi_bias[0]);
    d->cfi[1] = dwfl_module_eh_cfi(d->module, &d->cfi_bias[1]);
}

/* ---- opened and closed ---- */

/* How wide addresses are, as the first compilation unit says; 0: there is no unit. */
static unsigned address_bytes(struct debuginfo *d)
{
    Dwarf_Die cu;
    uint8_t address = 0, offset = 0;
    Dwarf_Die *first = dwfl_module_nextcu(d->module, NULL, &d->bias);
    if (!first || !dwarf_diecu(first, &cu, &address, &offset))
        return 0;
    return address;
}

/* Takes over `source`, which is closed if there is no debug information in it. */
static struct debuginfo *make_debuginfo(struct source *source)
{
    struct debuginfo *d = source ? calloc(1, sizeof *d) : NULL;
    if (!d) {
        source_close(source);
        return NULL;
    }
    d->wrap_fd = -1;
    d->source = source;
    d->module = source_module(source);
    d->dwarf = dwfl_module_getdwarf(d->module, &d->bias);
    d->address_bytes = d->dwarf ? address_bytes(d) : 0;
    if (d->address_bytes != 4 && d->address_bytes != 8) {
        debuginfo_close(d);
        return NULL;
    }
    find_frames(d);
    return d;
}

struct debuginfo *debuginfo_open(const char *elf)
{
    return elf ? make_debuginfo(source_open_file(elf)) : NULL;
}

struct debuginfo *debuginfo_own(void)
{
    return make_debuginfo(source_open());
}

void debuginfo_close(struct debuginfo *d)
{
    if (!d)
        return;
    if (d->wrap)
        dwarf_end(d->wrap);
    if (d->wrap_elf)
        elf_end(d->wrap_elf);
    if (d->wrap_fd >= 0)
        close(d->wrap_fd);
    for (size_t i = 0; i < N_PLACES; i++) {
        free(d->place[i].scopes);
        free(d->place[i].unwind);
    }
    source_close(d->source);
    free(d->name);
    free(d);
}

struct source *debuginfo_source(struct debuginfo *d)               { return d ? d->source : NULL; }
unsigned debuginfo_address_bytes(const struct debuginfo *d) { return d ? d->address_bytes : 8; }
uint64_t debuginfo_bias(const struct debuginfo *d)                 { return d->bias; }

/* ---- names ---- */

/* Append a name; false: there is no room for more.  An entry without a name is no error.
 * Names are not copied: libdw keeps them as long as the file is open. */
static bool add_name(struct debuginfo *d, Dwarf_Die *die, unsigned kind, Dwarf_Off parent)
{
    const char *name = dwarf_diename(die);
    if (!name || !name[0])
        return true;
    if (d->n == d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 512;
        struct debuginfo_name *more = cap > MAX_NAMES ? NULL : realloc(d->name, cap * sizeof *more);
        if (!more)
            return false;
        d->name = more;
        d->cap = cap;
    }
    d->name[d->n++] = (struct debuginfo_name){ name, dwarf_dieoffset(die), parent, kind };
    return true;
}

/* The enumerators of an enumeration are names of the file in C, though they are children of
 * its entry in DWARF. */
static void add_enumerators(struct debuginfo *d, Dwarf_Die *type)
{
    Dwarf_Die child;
    Dwarf_Off parent = dwarf_dieoffset(type);
    if (dwarf_child(type, &child) == 0)
        do
            if (dwarf_tag(&child) == DW_TAG_enumerator &&
                !add_name(d, &child, DEBUGINFO_ENUMERATOR, parent))
                return;
        while (dwarf_siblingof(&child, &child) == 0);
}

/* Which sort of name it is; 0: none that we list.  Declarations say nothing about where a
 * thing is; its definition is in another unit. */
static unsigned kind_of(Dwarf_Die *die)
{
    if (dwarf_hasattr(die, DW_AT_declaration))
        return 0;
    switch (dwarf_tag(die)) {
    case DW_TAG_variable:         return DEBUGINFO_VARIABLE;
    case DW_TAG_subprogram:       return DEBUGINFO_FUNCTION;
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type: return DEBUGINFO_TAG;
    case DW_TAG_typedef:
    case DW_TAG_base_type:        return DEBUGINFO_TYPE;
    default:                      return 0;
    }
}

/* Orders for qsort(): by name, then by place in .debug_info, so that the order is always the
 * same. */
static int by_name(const void *pa, const void *pb)
{
    const struct debuginfo_name *a = pa, *b = pb;
    int order = strcmp(a->name, b->name);
    return order ? order : a->die < b->die ? -1 : a->die > b->die;
}

/* Make the sorted table, from the children of all compilation units.  Done when a name is
 * first asked for, because it reads all units. */
static void list_names(struct debuginfo *d)
{
    Dwarf_Die die;
    d->listed = true;
    for (Dwarf_Die *cu = NULL; (cu = dwfl_module_nextcu(d->module, cu, &d->bias)) != NULL; ) {
        if (dwarf_child(cu, &die))
            continue;
        do {
            unsigned kind = kind_of(&die);
            if (kind && !add_name(d, &die, kind, 0))
                break;
            if (dwarf_tag(&die) == DW_TAG_enumeration_type)
                add_enumerators(d, &die);
        } while (dwarf_siblingof(&die, &die) == 0);
    }
    if (d->n)
        qsort(d->name, d->n, sizeof *d->name, by_name);
}

/* As strcmp(), but of `name` only the first len bytes count. */
static int compare_name(const char *is, const char *name, size_t len)
{
    int order = strncmp(is, name, len);
    return order ? order : is[len] != '\0';
}

/* The file that pc is of, as the offset of its unit; 0: none. */
static Dwarf_Off unit_of(struct debuginfo *d, uint64_t pc)
{
    Dwarf_Addr bias;
    Dwarf_Die *cu = pc ? dwfl_module_addrdie(d->module, pc, &bias) : NULL;
    return cu ? dwarf_dieoffset(cu) : 0;
}

/* The compilation unit that an entry is in; 0: not known. */
static Dwarf_Off unit_of_die(struct debuginfo *d, Dwarf_Off off)
{
    Dwarf_Die die, cu;
    return debuginfo_die(d, off, &die) && dwarf_diecu(&die, &cu, NULL, NULL) ? dwarf_dieoffset(&cu)
                                                                             : 0;
}

/* Binary search for the first of this name.  Units are compared only if there are several. */
const struct debuginfo_name *debuginfo_find(struct debuginfo *d, unsigned kinds, const char *name,
                                            size_t len, uint64_t pc)
{
    const struct debuginfo_name *found = NULL;
    size_t lo = 0;
    if (d && !d->listed)
        list_names(d);
    for (size_t hi = d ? d->n : 0; lo < hi; ) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare_name(d->name[mid].name, name, len) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    Dwarf_Off unit = 0;
    for (size_t i = lo; d && i < d->n && compare_name(d->name[i].name, name, len) == 0; i++) {
        if (!(d->name[i].kind & kinds))
            continue;
        if (found && !unit && !(unit = unit_of(d, pc)))
            break;                          /* pc is in no file: the first it is */
        if (!found || unit_of_die(d, d->name[i].die) == unit)
            found = &d->name[i];
    }
    return found;
}

bool debuginfo_die(struct debuginfo *d, Dwarf_Off off, Dwarf_Die *die)
{
    return dwarf_offdie(d->dwarf, off, die) != NULL;
}

size_t debuginfo_names(struct debuginfo *d, const struct debuginfo_name **names)
{
    if (d && !d->listed)
        list_names(d);
    *names = d ? d->name : NULL;
    return d ? d->n : 0;
}

/* ---- code ---- */

/* The slot for pc in the cache, emptied if another pc had it. */
static struct place *place_at(struct debuginfo *d, uint64_t pc)
{
    struct place *p = &d->place[(pc ^ pc >> 6 ^ pc >> 12) % N_PLACES];
    if (p->pc == pc)
        return p;
    free(p->scopes);
    free(p->unwind);
    *p = (struct place){ .pc = pc };
    return p;
}

int debuginfo_scopes(struct debuginfo *d, uint64_t pc, Dwarf_Die **scopes)
{
    Dwarf_Addr bias;
    *scopes = NULL;
    if (!d)
        return 0;
    struct place *p = place_at(d, pc);
    if (!p->has_scopes) {
        Dwarf_Die *cu = dwfl_module_addrdie(d->module, pc, &bias);
        p->n_scopes = cu ? dwarf_getscopes(cu, pc - bias, &p->scopes) : 0;
        p->has_scopes = true;
    }
    *scopes = p->scopes;
    return p->n_scopes;
}

Dwarf_Frame *debuginfo_unwind(struct debuginfo *d, uint64_t pc)
{
    if (!d)
        return NULL;
    struct place *p = place_at(d, pc);
    for (unsigned i = 0; i < 2 && !p->has_unwind; i++)
        if (d->cfi[i] && dwarf_cfi_addrframe(d->cfi[i], pc - d->cfi_bias[i], &p->unwind) == 0)
            break;
    p->has_unwind = true;
    return p->unwind;
}
