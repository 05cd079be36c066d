/*
 * debugger/symbols/symbols.c -- a sorted table of symbols, from an ELF file or from text.
 *
 * What is taken: functions, objects and plain labels (programs in assembly have little else)
 * of sections that are loaded into memory.  Names are copied; of the file only the line tables
 * stay mapped (lines.c).
 *
 * Two arrays: `symbol`, sorted by address, which is searched for addresses, and `by_name`, the
 * same symbols' indices sorted by name, which is searched for names.  A symbol that has a size
 * ends there, one without ends at the next symbol, but never behind its section.  Of several names
 * of one address the best is in these arrays; the others can only be looked up by name (`alias`).
 *
 * The file may be hostile. libelf checks the bytes that it hands out; we bound how much we
 * take, and keep no byte in a name that could harm a terminal.
 *
 * Begin reading with sort_and_index(), then symbols_find().
 */
#include "debugger/symbols/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "debugger/symbols/lines.h"

/* A file with more symbols, longer names or longer lines is cut there.  Linux has some
 * 200,000. */
#define MAX_SYMBOLS     (1u << 20)
#define MAX_NAME        200
#define MAX_LINE        400
#define UNSIZED         65536           /* most bytes for a symbol without a size */
#define MAX_MOVED       16              /* segments that are linked elsewhere than loaded */

struct symbol {
    uint64_t addr, end;     /* [addr, end)                                  */
    unsigned rank;          /* of several at one address the lowest names it */
    char    *name;
};

/* Another name of an address. */
struct alias { uint64_t addr; char *name; };

/* A segment whose physical address is not its linear one. */
struct moved { uint64_t linked, loaded, bytes; };

struct symbols {
    struct symbol *symbol;
    uint32_t      *by_name; /* indices into `symbol`, sorted by name        */
    size_t         n, cap;
    struct alias  *alias;   /* n_aliases of them, in no order               */
    size_t         n_aliases;
    struct lines  *lines;   /* of the same program; NULL: not known         */
    uint64_t       shift;   /* what symbols_shift() has added               */
    struct moved   moved[MAX_MOVED];
    size_t         n_moved;
};

/* Names go to terminals, into JSON and into commands: what is not printable, and quotes,
 * become '?'.  Letters of all languages stay. */
static char *copy_name(const char *name)
{
    size_t len = strnlen(name, MAX_NAME);
    char *copy = malloc(len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, name, len);
    copy[len] = '\0';
    utf8_clean(copy, true);
    return copy;
}

/* Append a symbol; the array doubles when it is full, so that adding n costs O(n) in all. */
static int add_symbol(struct symbols *s, const struct symbol *sym, const char *name)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 256;
        struct symbol *more = realloc(s->symbol, cap * sizeof *more);
        if (!more)
            return -ENOMEM;
        s->symbol = more;
        s->cap = cap;
    }
    s->symbol[s->n] = *sym;
    s->symbol[s->n].name = copy_name(name);
    return s->symbol[s->n].name ? (s->n++, 0) : -ENOMEM;
}

/* Which of two names for one address is the better one: functions come before labels before
 * objects, global names before local ones. -1: the symbol is none of these (a section, a
 * source file, thread-local).  [ELF "Symbol Table", st_info] */
static int rank_of(const GElf_Sym *sym)
{
    int local = GELF_ST_BIND(sym->st_info) == STB_LOCAL;
    switch (GELF_ST_TYPE(sym->st_info)) {
    case STT_FUNC:   return local;
    case STT_NOTYPE: return 2 + local;
    case STT_OBJECT: return 4 + local;
    }
    return -1;
}

/* Take the symbol if it names an address of the loaded program. */
/* Names that begin with '$' are marks that some tools set between code and data.  The end is
 * the symbol's own size if the file gives one that lies within the section, else the end of
 * the section; symbols_find() sees to it that the next symbol comes first. */
static int take_symbol(struct symbols *s, Elf *elf, size_t strtab, const GElf_Sym *sym)
{
    GElf_Shdr sec;
    int rank = rank_of(sym);
    const char *name = elf_strptr(elf, strtab, sym->st_name);
    if (rank < 0 || !name || !name[0] || name[0] == '$' || sym->st_shndx == SHN_UNDEF
        || sym->st_shndx >= SHN_LORESERVE)
        return 0;
    if (!gelf_getshdr(elf_getscn(elf, sym->st_shndx), &sec) || !(sec.sh_flags & SHF_ALLOC))
        return 0;
    uint64_t section_end = sec.sh_addr + sec.sh_size;
    uint64_t end = sym->st_value + (sym->st_size ? sym->st_size : section_end - sym->st_value);
    if (end <= sym->st_value || sym->st_value < sec.sh_addr || end > section_end)
        end = section_end > sym->st_value ? section_end : sym->st_value + 1;
    if (end <= sym->st_value)
        return 0;
    struct symbol new = { .addr = sym->st_value, .end = end, .rank = (unsigned)rank };
    return add_symbol(s, &new, name);
}

/* All symbols of one SHT_SYMTAB section.  Its sh_link is the number of the section that holds
 * the names.  [ELF "Symbol Table"] */
static int read_table(struct symbols *s, Elf *elf, Elf_Scn *scn, const GElf_Shdr *sec)
{
    Elf_Data *data = elf_getdata(scn, NULL);
    if (!data || sec->sh_entsize == 0)
        return 0;
    size_t n = data->d_size / sec->sh_entsize;
    for (size_t i = 0; i < n && i < MAX_SYMBOLS && s->n < MAX_SYMBOLS; i++) {
        GElf_Sym sym;
        if (!gelf_getsym(data, (int)i, &sym))
            break;
        int err = take_symbol(s, elf, sec->sh_link, &sym);
        if (err)
            return err;
    }
    return 0;
}

/* Orders for qsort().  By address, and at one address the best name first. */
static int by_address(const void *pa, const void *pb)
{
    const struct symbol *a = pa, *b = pb;
    if (a->addr != b->addr)
        return a->addr < b->addr ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* For qsort_r(), of indices: of equal names the one with the lower address comes first. */
static int by_name(const void *pa, const void *pb, void *arg)
{
    const struct symbols *s = arg;
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    int order = strcmp(s->symbol[a].name, s->symbol[b].name);
    return order ? order : (a > b) - (a < b);
}

/* Take over a symbol's name as another one of its address.  Without memory it is forgotten. */
static void add_alias(struct symbols *s, const struct symbol *sym)
{
    bool grows = (s->n_aliases & (s->n_aliases - 1)) == 0;      /* 0, 1, 2, 4, 8 ... */
    size_t cap = s->n_aliases ? 2 * s->n_aliases : 1;
    struct alias *more = grows ? realloc(s->alias, cap * sizeof *more) : s->alias;
    if (!more) {
        free(sym->name);
        return;
    }
    s->alias = more;
    s->alias[s->n_aliases++] = (struct alias){ sym->addr, sym->name };
}

/* Sort by address, keep only the best name of each address (the others become aliases), and sort
 * an index by name.  0 or -ENOMEM. */
static int sort_and_index(struct symbols *s)
{
    size_t n = 0;
    if (s->n)
        qsort(s->symbol, s->n, sizeof *s->symbol, by_address);
    for (size_t i = 0; i < s->n; i++) {
        if (n && s->symbol[n - 1].addr == s->symbol[i].addr)
            add_alias(s, &s->symbol[i]);
        else
            s->symbol[n++] = s->symbol[i];
    }
    s->n = n;
    free(s->by_name);
    s->by_name = malloc((n + 1) * sizeof *s->by_name);
    if (!s->by_name)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        s->by_name[i] = (uint32_t)i;
    qsort_r(s->by_name, n, sizeof *s->by_name, by_name, s);
    return 0;
}

/* If there is no memory for the index the table becomes empty: then lookups find nothing, but
 * do not fail. */
static void sort_or_drop(struct symbols *s)
{
    if (sort_and_index(s) == 0)
        return;
    for (size_t i = 0; i < s->n; i++)
        free(s->symbol[i].name);
    s->n = 0;
}

/* ---- text ---- */

struct symbols *symbols_new(void)
{
    return calloc(1, sizeof(struct symbols));
}

/* The same ranking by nm's letters: T text, W weak, V weak object, D data, B zeroed data, R
 * read-only data; lower case is local to a file.  All other letters (A absolute, U undefined,
 * ...) name no address of the loaded program.  [nm(1)] */
static int rank_of_letter(char type)
{
    if (!type || !strchr("TtWwVvDdBbRr", type))
        return -1;
    return (strchr("TtWw", type) ? 0 : 4) + (type >= 'a');
}

bool symbols_add_typed(struct symbols *s, uint64_t addr, char type, const char *name)
{
    int rank = rank_of_letter(type);
    if (rank < 0 || addr + 1 == 0)
        return true;
    struct symbol new = { .addr = addr, .rank = (unsigned)rank };
    return s->n < MAX_SYMBOLS && add_symbol(s, &new, name) == 0;
}

/* A text and kallsyms tell no sizes: such a symbol ends where the next begins, and at most
 * UNSIZED bytes further, so that the last one does not claim the rest of the address space. */
void symbols_settle(struct symbols *s)
{
    if (!s)
        return;
    sort_or_drop(s);
    for (size_t i = 0; i < s->n; i++) {
        uint64_t limit = s->symbol[i].addr + UNSIZED;
        uint64_t next = i + 1 < s->n ? s->symbol[i + 1].addr : limit;
        if (!s->symbol[i].end)
            s->symbol[i].end = next < limit ? next : limit;
        if (s->symbol[i].end < s->symbol[i].addr)
            s->symbol[i].end = UINT64_MAX;
    }
}

/* A line of text: 8 or 16 digits, a blank, a letter, a blank, a name.  False: it looks
 * different (then the file is no such text), or there is no room. */
static bool add_line(struct symbols *s, const char *line)
{
    char name[MAX_NAME + 1], type;
    uint64_t addr;
    size_t digits = strspn(line, "0123456789abcdefABCDEF");
    return (digits == 8 || digits == 16) && line[digits] == ' ' &&
           sscanf(line, "%16" SCNx64 " %c %200s", &addr, &type, name) == 3 &&
           symbols_add_typed(s, addr, type, name);
}

/* Read lines until one is no symbol, and close f.  NULL, or a complaint. */
static const char *read_text(struct symbols *s, FILE *f)
{
    char line[MAX_LINE];
    if (!f)
        return "there is not enough memory to read it";
    rewind(f);
    for (size_t lines = 0; lines < MAX_SYMBOLS && fgets(line, sizeof line, f) && add_line(s, line);
         lines++)
        ;
    fclose(f);
    symbols_settle(s);
    return s->n ? NULL : "it is neither an ELF file nor a list of symbols as System.map is";
}

/* A stream for a descriptor that stays open when the stream is closed. */
static FILE *open_copy(int fd)
{
    int copy = dup(fd);
    FILE *f = copy < 0 ? NULL : fdopen(copy, "r");
    if (!f && copy >= 0)
        close(copy);
    return f;
}

/* [ELF "Program Header", p_vaddr, p_paddr] */
static void read_segments(struct symbols *s, Elf *elf)
{
    size_t n;
    GElf_Phdr p;
    if (elf_getphdrnum(elf, &n))
        return;
    for (size_t i = 0; i < n && s->n_moved < MAX_MOVED; i++)
        if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD && p.p_vaddr != p.p_paddr)
            s->moved[s->n_moved++] = (struct moved){ p.p_vaddr, p.p_paddr, p.p_memsz };
}

/* Linked programs have one symbol table; that of dynamic linking (SHT_DYNSYM) is not looked
 * at. */
static int read_elf(struct symbols *s, Elf *elf)
{
    Elf_Scn *scn = NULL;
    GElf_Shdr sec;
    read_segments(s, elf);
    while ((scn = elf_nextscn(elf, scn)))
        if (gelf_getshdr(scn, &sec) && sec.sh_type == SHT_SYMTAB) {
            int err = read_table(s, elf, scn, &sec);
            if (err)
                return err;
        }
    return sort_and_index(s);
}

/* Read the symbols if this is an ELF file, and end `elf`.  NULL, or a complaint; *is_elf
 * false: it is no ELF file, and may be a text. */
static const char *read_if_elf(struct symbols *s, Elf *elf, bool *is_elf)
{
    const char *complaint = NULL;
    *is_elf = elf && elf_kind(elf) == ELF_K_ELF;
    if (*is_elf && read_elf(s, elf) < 0)
        complaint = "there is not enough memory to read it";
    else if (*is_elf && s->n == 0)
        complaint = "it has no symbols (stripped?)";
    elf_end(elf);
    return complaint;
}

/* The two ways to a table: an open file, or bytes in memory.  NULL, or a complaint. */
static const char *read_fd(struct symbols *s, int fd)
{
    bool is_elf;
    if (elf_version(EV_CURRENT) == EV_NONE)
        return "libelf is too old";
    const char *complaint = read_if_elf(s, elf_begin(fd, ELF_C_READ, NULL), &is_elf);
    return is_elf ? complaint : read_text(s, open_copy(fd));
}

static const char *read_memory(struct symbols *s, char *bytes, size_t n)
{
    bool is_elf;
    if (elf_version(EV_CURRENT) == EV_NONE)
        return "libelf is too old";
    if (!n)
        return "it is empty";
    const char *complaint = read_if_elf(s, elf_memory(bytes, n), &is_elf);
    return is_elf ? complaint : read_text(s, fmemopen(bytes, n, "r"));
}

/* The end of both: s itself, or, if there is a complaint, NULL and the complaint in `why`. */
static struct symbols *good_or_none(struct symbols *s, const char *complaint, char *why, size_t n)
{
    if (!complaint)
        return s;
    snprintf(why, n, "%s", complaint);
    symbols_close(s);
    return NULL;
}

void symbols_set_lines(struct symbols *s, struct lines *lines)
{
    lines_close(s->lines);
    s->lines = lines;
}

struct symbols *symbols_open(const char *path, char *why, size_t n)
{
    struct symbols *s = calloc(1, sizeof *s);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *complaint = !s ? "there is not enough memory" : fd < 0 ? strerror(errno)
                                                                       : read_fd(s, fd);
    if (!complaint)
        symbols_set_lines(s, lines_of_file(fd));
    if (fd >= 0)
        close(fd);
    return good_or_none(s, complaint, why, n);
}

struct symbols *symbols_read(const void *bytes, uint64_t n_bytes, char *why, size_t n)
{
    struct symbols *s = calloc(1, sizeof *s);
    return good_or_none(s, s ? read_memory(s, (char *)(uintptr_t)bytes, n_bytes)
                             : "there is not enough memory", why, n);
}

void symbols_close(struct symbols *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        free(s->symbol[i].name);
    for (size_t i = 0; i < s->n_aliases; i++)
        free(s->alias[i].name);
    free(s->alias);
    lines_close(s->lines);
    free(s->symbol);
    free(s->by_name);
    free(s);
}

void symbols_shift(struct symbols *s, uint64_t by)
{
    for (size_t i = 0; s && i < s->n; i++) {
        s->symbol[i].addr += by;
        s->symbol[i].end += by;
    }
    for (size_t i = 0; s && i < s->n_aliases; i++)
        s->alias[i].addr += by;
    if (s)
        s->shift += by;
    if (s && s->n)
        sort_or_drop(s);          /* addresses that wrapped round are out of order */
}

bool symbols_loaded_at(const struct symbols *s, uint64_t addr, uint64_t *physical)
{
    for (size_t i = 0; s && i < s->n_moved; i++) {
        const struct moved *m = &s->moved[i];
        *physical = addr - s->shift - m->linked + m->loaded;
        if (addr - s->shift - m->linked < m->bytes)
            return true;
    }
    return false;
}

bool symbols_linked_at(const struct symbols *s, uint64_t physical, uint64_t *addr)
{
    for (size_t i = 0; s && i < s->n_moved; i++) {
        const struct moved *m = &s->moved[i];
        *addr = physical - m->loaded + m->linked + s->shift;
        if (physical - m->loaded < m->bytes)
            return true;
    }
    return false;
}

/* Binary search for the last symbol that does not begin above addr. */
static const char *find_at(const struct symbols *s, uint64_t addr, uint64_t *offset)
{
    size_t lo = 0, hi = s ? s->n : 0;
    while (lo < hi) {               /* the first symbol above addr */
        size_t mid = lo + (hi - lo) / 2;
        if (s->symbol[mid].addr <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0 || addr >= s->symbol[lo - 1].end)
        return NULL;
    *offset = addr - s->symbol[lo - 1].addr;
    return s->symbol[lo - 1].name;
}

const char *symbols_find(const struct symbols *s, uint64_t addr, uint64_t *offset)
{
    uint64_t linked;
    const char *name = find_at(s, addr, offset);
    return name || !symbols_linked_at(s, addr, &linked) ? name : find_at(s, linked, offset);
}

char *symbols_format(const struct symbols *s, uint64_t addr, char *buf, size_t n)
{
    uint64_t offset;
    const char *name = symbols_find(s, addr, &offset);
    if (!name)
        snprintf(buf, n, "%s", "");
    else if (offset)
        snprintf(buf, n, "%s+0x%" PRIx64, name, offset);
    else
        snprintf(buf, n, "%s", name);
    return buf;
}

char *symbols_line(const struct symbols *s, uint64_t addr, char *buf, size_t n)
{
    uint64_t offset, linked;
    if (!find_at(s, addr, &offset) && symbols_linked_at(s, addr, &linked))
        addr = linked;
    lines_find(s ? s->lines : NULL, s ? addr - s->shift : 0, buf, n);
    return buf;
}

/* As strcmp(), but of the other name only the first len bytes count. */
static int compare_name(const char *name, const char *other, size_t len)
{
    int order = strncmp(name, other, len);
    return order ? order : name[len] != 0;
}

/* The name that stands in the arrays for another one of its address; NULL: that is none. */
static const char *best_name(const struct symbols *s, const char *name, size_t len)
{
    uint64_t offset;
    for (size_t i = 0; s && i < s->n_aliases; i++)
        if (compare_name(s->alias[i].name, name, len) == 0)
            return symbols_find(s, s->alias[i].addr, &offset);
    return NULL;
}

/* The same without aliases. */
static bool extent_of_best(const struct symbols *s, const char *name, size_t len,
                           uint64_t *start, uint64_t *end)
{
    size_t lo = 0, hi = s ? s->n : 0;
    while (lo < hi) {               /* the first whose name is not less */
        size_t mid = lo + (hi - lo) / 2;
        if (compare_name(s->symbol[s->by_name[mid]].name, name, len) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (!s || lo == s->n)
        return false;
    size_t i = s->by_name[lo];
    const struct symbol *sym = &s->symbol[i];
    if (compare_name(sym->name, name, len))
        return false;
    *start = sym->addr;             /* an unsized label ends where the next begins */
    *end = i + 1 < s->n && s->symbol[i + 1].addr < sym->end ? s->symbol[i + 1].addr : sym->end;
    return true;
}

bool symbols_extent(const struct symbols *s, const char *name, size_t len,
                    uint64_t *start, uint64_t *end)
{
    if (extent_of_best(s, name, len, start, end))
        return true;
    const char *best = best_name(s, name, len);
    return best && extent_of_best(s, best, strlen(best), start, end);
}

size_t symbols_count(const struct symbols *s)
{
    return s ? s->n : 0;
}

const char *symbols_at(const struct symbols *s, size_t i, uint64_t *addr, uint64_t *end)
{
    if (!s || i >= s->n)
        return NULL;
    *addr = s->symbol[i].addr;
    *end = s->symbol[i].end;
    return s->symbol[i].name;
}
