/*
 * debugger/symbols/save_elf.c -- write a symbol table as an ELF file, for debuggers that can read
 * symbols from nothing else (gdb's `add-symbol-file`).
 *
 * The file has no code.  One section without bytes, .text, spans all addresses of the program,
 * and the symbols lie in it, so that gdb takes them for addresses of code.  Which half of the
 * address space that is (user programs below, a kernel above) is told by the last symbol;
 * symbols in the other half, which are the offsets of a Linux kernel's per-CPU variables, are
 * written as absolute numbers.  Otherwise the section would cover the addresses of user
 * programs too.
 *
 * [ELF-64 Object File Format, "Symbol Table", "Sections"]
 */
#include "debugger/symbols/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The numbers of our sections; number 0 is the empty one that every ELF file has. */
enum { TEXT = 1, STRINGS = 2, SYMBOLS = 3 };    /* sections */

/* The string table begins with the sections' names, at the offsets in name_at; the symbols'
 * names follow. */
static const char section_names[] = "\0.text\0.strtab\0.symtab";
static const unsigned name_at[] = { [TEXT] = 1, [STRINGS] = 7, [SYMBOLS] = 15 };

struct content {
    Elf64_Sym *sym;
    char      *strings;
    size_t     n, n_strings;
    uint64_t   from, to;                /* what .text spans: [from, to) */
};

/* Are both addresses in the lower half, or both in the upper (kernel) half? */
static bool same_half(uint64_t a, uint64_t b) { return a >> 63 == b >> 63; }

/* Make the symbols and their names as they lie in the file.  Symbol number 0 is an empty one
 * [ELF "Symbol Table"], so ours are numbered from 1.  False: no memory; the caller frees t in
 * any case. */
static bool collect(const struct symbols *s, struct content *t)
{
    uint64_t addr, end, last = 0;
    const char *name;
    size_t n = symbols_count(s), room = sizeof section_names;
    for (size_t i = 0; i < n && (name = symbols_at(s, i, &last, &end)); i++)
        room += strlen(name) + 1;
    t->sym = calloc(n + 1, sizeof *t->sym);
    t->strings = malloc(room);
    if (!t->sym || !t->strings)
        return false;
    memcpy(t->strings, section_names, sizeof section_names);
    t->n_strings = sizeof section_names;
    t->from = UINT64_MAX;
    for (t->n = 1; t->n <= n && (name = symbols_at(s, t->n - 1, &addr, &end)); t->n++) {
        bool in = same_half(addr, last);
        t->sym[t->n] = (Elf64_Sym){ .st_name = (Elf64_Word)t->n_strings, .st_value = addr,
                                    .st_size = end - addr,
                                    .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE),
                                    .st_shndx = in ? TEXT : SHN_ABS };
        if (in && addr < t->from)
            t->from = addr;
        if (in && end > t->to)
            t->to = end;
        strcpy(t->strings + t->n_strings, name);
        t->n_strings += strlen(name) + 1;
    }
    return true;
}

/* Add a section with these n bytes. libelf places it in the file and fills in its offset. */
static bool add_section(Elf *elf, unsigned which, GElf_Shdr shdr, void *bytes, size_t n,
                        Elf_Type type)
{
    GElf_Shdr now;
    Elf_Scn *scn = elf_newscn(elf);
    Elf_Data *data = scn ? elf_newdata(scn) : NULL;
    if (!data || !gelf_getshdr(scn, &now))
        return false;
    data->d_buf = bytes;
    data->d_size = n;
    data->d_type = type;
    data->d_align = shdr.sh_addralign;
    data->d_version = EV_CURRENT;
    shdr.sh_name = name_at[which];
    shdr.sh_size = n;
    return gelf_update_shdr(scn, &shdr);
}

/* The file: a header, the section without bytes (SHT_NOBITS, as .bss is one), names, symbols.
 * sh_link of the symbols says which section has their names; sh_info is the number of the
 * first symbol that is not local.  [ELF "Sections", "sh_link and sh_info Interpretation"] */
static bool write_elf(Elf *elf, const struct content *t)
{
    GElf_Ehdr ehdr;
    if (!elf || !gelf_newehdr(elf, ELFCLASS64) || !gelf_getehdr(elf, &ehdr))
        return false;
    ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
    ehdr.e_type = ET_EXEC;
    ehdr.e_machine = EM_X86_64;
    ehdr.e_version = EV_CURRENT;
    ehdr.e_shstrndx = STRINGS;
    GElf_Shdr text = { .sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                       .sh_addr = t->from, .sh_addralign = 1 };
    GElf_Shdr strings = { .sh_type = SHT_STRTAB, .sh_addralign = 1 };
    GElf_Shdr symbols = { .sh_type = SHT_SYMTAB, .sh_addralign = 8, .sh_link = STRINGS,
                          .sh_info = 1, .sh_entsize = sizeof *t->sym };
    return gelf_update_ehdr(elf, &ehdr) &&
           add_section(elf, TEXT, text, NULL, t->to - t->from, ELF_T_BYTE) &&
           add_section(elf, STRINGS, strings, t->strings, t->n_strings, ELF_T_BYTE) &&
           add_section(elf, SYMBOLS, symbols, t->sym, t->n * sizeof *t->sym, ELF_T_SYM) &&
           elf_update(elf, ELF_C_WRITE) >= 0;
}

bool symbols_save(const struct symbols *s, const char *path, char *why, size_t n)
{
    struct content t = { .n = 0 };
    bool ok = false;
    int fd = -1;
    elf_version(EV_CURRENT);
    if (!symbols_count(s))
        snprintf(why, n, "there are no symbols");
    else if (!collect(s, &t))
        snprintf(why, n, "there is not enough memory");
    else if ((fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) < 0)
        snprintf(why, n, "%s", strerror(errno));
    else {
        Elf *elf = elf_begin(fd, ELF_C_WRITE, NULL);
        ok = write_elf(elf, &t);
        if (!ok)
            snprintf(why, n, "%s", elf_errmsg(-1));
        elf_end(elf);
    }
    if (fd >= 0 && close(fd) && ok) {
        snprintf(why, n, "%s", strerror(errno));
        ok = false;
    }
    free(t.sym);
    free(t.strings);
    return ok;
}
