/*
 * debugger/symbols/kallsyms.c -- finding a Linux kernel's own symbol tables in its memory
 * without being told where they are.
 *
 * Linux's build script scripts/kallsyms.c writes them.  From Linux 4.6 to 6.3 they lie one
 * behind the other, each aligned to 8 bytes:
 *
 *     offsets        s32 for each symbol   >= 0: the address itself (a per-CPU variable's offset);
 *                                          < 0: base - 1 - offset
 *     relative_base  u64
 *     num_syms       u32
 *     names          for each symbol its length (a byte; with bit 7, two) and so many tokens
 *     markers        u32 for every 256th symbol: where in names it is
 *     seqs_of_names  3 bytes for each symbol: the order by name (since 6.2, and Debian's 6.1)
 *     token_table    256 strings, each ending in NUL; a name begins with its type's letter
 *     token_index    u16 for each: where in token_table it is
 *
 * Names are compressed: a byte stands for a string that is frequent in names (a "token"), so
 * that for example "Tvfs_read" may be the three bytes of "T", "vfs_" and "read".
 *
 * The token table can be recognized, because the digits are tokens for themselves: "0", "1"
 * ... "9" stand there one behind the other.  From there we go backwards through the other
 * tables.  A place is accepted only if every table fits to all others, since memory is full of
 * numbers.
 *
 * The bytes may be a guest's invention: every index is checked, and all searching together is
 * bounded by MAX_WORK.
 *
 * Begin reading with kallsyms_find().
 */
#include "debugger/symbols/kallsyms.h"

#include <stdio.h>
#include <string.h>

#include "debugger/symbols/symbols.h"

#define TOKENS       256
#define MAX_TABLE    4096               /* bytes of token_table           */
#define MAX_SYMS     (1u << 19)
/* The kernel's own limit, KSYM_NAME_LEN, since 6.1; before it was less. */
#define MAX_NAME     512
#define MIN_SYMS     512                /* no kernel has fewer            */
#define MAX_WORK     (1u << 26)         /* steps of all searches together */

/* What has been found so far, as offsets into the bytes. */
struct kernel {
    const uint8_t *bytes;
    size_t   n;
    size_t   token_table, token_index, markers, markers_end, n_markers, names, offsets;
    uint32_t n_syms, work;
    uint64_t base;
};

/* Little-endian numbers at an offset that the caller has checked. */
static uint16_t u16(const struct kernel *k, size_t at)
{
    uint16_t v;
    memcpy(&v, k->bytes + at, 2);
    return v;
}

static uint32_t u32(const struct kernel *k, size_t at)
{
    uint32_t v;
    memcpy(&v, k->bytes + at, 4);
    return v;
}

static uint64_t u64(const struct kernel *k, size_t at)
{
    uint64_t v;
    memcpy(&v, k->bytes + at, 8);
    return v;
}

/* The digits "0\0001\0...9\0" were found at `digits`.  Are they in the middle of a token
 * table?  Each character that is a token for itself stands at its own number, so behind the
 * digits 256 - '0' strings must end, the index must follow, its entry for '0' tells how far in
 * front of the digits the table begins, and all entries must agree with the strings. */
static bool token_table_around(struct kernel *k, size_t digits)
{
    size_t end = digits;
    for (unsigned i = '0'; i < TOKENS; i++) {
        const uint8_t *nul =
            end < k->n ? memchr(k->bytes + end, 0, k->n - end < MAX_TABLE ? k->n - end : MAX_TABLE)
                       : NULL;
        if (!nul)
            return false;
        end = (size_t)(nul - k->bytes) + 1;
    }
    k->token_index = (end + 7) & ~(size_t)7;
    if (k->token_index + 2 * TOKENS > k->n || u16(k, k->token_index) != 0)
        return false;
    size_t before = u16(k, k->token_index + 2 * '0');
    if (before > digits || end - (digits - before) > MAX_TABLE * 4)
        return false;
    k->token_table = digits - before;
    for (unsigned i = 1; i < TOKENS; i++) {     /* each begins where another ends */
        size_t at = k->token_table + u16(k, k->token_index + 2 * i);
        if (at >= end || at <= k->token_table || k->bytes[at - 1])
            return false;
    }
    return true;
}

/* Do markers end at `at`?  Going backwards, each must be less than the one behind it, by at
 * least 512 (256 symbols have a length and at least one token each) and at most 256 names of
 * full length, and the first is 0.  They are padded to 8 bytes, so if their number is odd
 * there are 4 bytes behind them. */
static bool markers_before(struct kernel *k, size_t at)
{
    for (unsigned pad = 0; pad < 2 && at >= 16; pad++) {
        size_t first = at - 4 * pad;
        uint32_t above = UINT32_MAX;
        while (first >= 4 && above && k->work < MAX_WORK) {
            uint32_t v = u32(k, first - 4);
            if (above != UINT32_MAX &&
                (v >= above || above - v < 512 || above - v > 256 * MAX_NAME))
                break;
            first -= 4;
            above = v;
            k->work++;
        }
        k->n_markers = (at - 4 * pad - first) / 4;
        if (above == 0 && !(first & 7) && k->n_markers > 1) {
            k->markers = first;
            k->markers_end = at;
            return true;
        }
    }
    return false;
}

/* Read the length of a name at *at, in tokens, and move *at behind it.  One byte; if its bit 7
 * is set, that byte's other bits are the low seven and the next byte has the higher ones.  0:
 * the name would not end before `end`. */
static size_t length_at(const struct kernel *k, size_t *at, size_t end)
{
    if (*at >= end)
        return 0;
    size_t len = k->bytes[(*at)++];
    if (len & 0x80) {
        if (*at >= end)
            return 0;
        len = (len & 0x7f) | (size_t)k->bytes[(*at)++] << 7;
    }
    return len <= end - *at ? len : 0;
}

/* Could `names` be where n names begin?  Skip to the last 256 of them with the help of the
 * markers, go through those one by one, and see whether the end is where the markers begin. */
static bool names_fit(struct kernel *k, size_t names, uint32_t n)
{
    size_t last = 256 * (k->n_markers - 1),
           at = names + u32(k, k->markers + 4 * (k->n_markers - 1));
    if (n <= last || n > last + 256)
        return false;
    for (size_t i = last; i < n; i++) {
        size_t len = length_at(k, &at, k->markers);
        if (!len || len > MAX_NAME)
            return false;
        at += len;
        k->work++;
    }
    return k->markers - at < 8;
}

/* Going backwards from the markers in steps of 8: a place with the number of symbols in front
 * of it and names behind it that fit.  In front of that number are the base and the offsets. */
static bool find_names(struct kernel *k)
{
    uint32_t last = u32(k, k->markers + 4 * (k->n_markers - 1));
    size_t most = last + 256 * (size_t)MAX_NAME;
    for (size_t names = k->markers; names >= 16 && k->markers - names <= most && k->work < MAX_WORK;
         names -= 8) {
        uint32_t n = u32(k, names - 8);
        k->work++;
        if (k->markers - names < last || n < MIN_SYMS || n > MAX_SYMS || u32(k, names - 4) ||
            !names_fit(k, names, n))
            continue;
        size_t offsets = ((size_t)n * 4 + 7) & ~(size_t)7;
        if (names < 16 + offsets)
            return false;
        k->names = names;
        k->n_syms = n;
        k->base = u64(k, names - 16);
        k->offsets = names - 16 - offsets;
        return true;
    }
    return false;
}

static size_t align8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* Going backwards from the token table: the markers, which lie directly in front of it or with
 * the table of three bytes for each symbol between. */
static bool find_tables(struct kernel *k)
{
    size_t end = k->token_table & ~(size_t)7;
    for (size_t at = end; at >= 16 && end - at <= 3 * (size_t)MAX_SYMS && k->work < MAX_WORK;
         at -= 8, k->work++)
        if (markers_before(k, at) && find_names(k) &&
            (k->markers_end == end || end - k->markers_end == align8(3 * (size_t)k->n_syms)))
            return true;
    return false;
}

/* ---- names ---- */

/* Replace len tokens by their strings.  At most room - 1 characters, always terminated. */
static void expand_name(const struct kernel *k, size_t at, size_t len, char *name, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        size_t token = k->token_table + u16(k, k->token_index + 2 * (size_t)k->bytes[at + i]);
        while (n + 1 < room && token < k->n && k->bytes[token])
            name[n++] = (char)k->bytes[token++];
    }
    name[n] = 0;
}

/* What an offset means, see the table above: per-CPU variables have small positive numbers,
 * all else is counted down from the base. */
static uint64_t symbol_address(const struct kernel *k, uint32_t i)
{
    int32_t offset = (int32_t)u32(k, k->offsets + 4 * (size_t)i);
    return offset >= 0 ? (uint64_t)offset : k->base - 1 - (uint64_t)(int64_t)offset;
}

/* Expand all names, one behind the other.  The first letter of each is its type as nm has it. */
static struct symbols *read_symbols(const struct kernel *k)
{
    char name[MAX_NAME];
    size_t at = k->names;
    struct symbols *s = symbols_new();
    for (uint32_t i = 0; s && i < k->n_syms; i++) {
        size_t len = length_at(k, &at, k->markers);
        if (!len || len > MAX_NAME)
            break;
        expand_name(k, at, len, name, sizeof name);
        at += len;
        if (name[0] && name[1] && !symbols_add_typed(s, symbol_address(k, i), name[0], name + 1))
            break;
    }
    symbols_settle(s);
    return s;
}

/* The digits may stand in memory by chance, or as the copy of a table that was not yet
 * relocated: go on until one place has everything. */
struct symbols *kallsyms_find(const uint8_t *bytes, size_t n, char *why, size_t n_why)
{
    static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
    struct kernel k = { .bytes = bytes, .n = n };
    const uint8_t *at = bytes;
    while (at && (size_t)(at - bytes) < n &&
           (at = memmem(at, n - (size_t)(at - bytes), digits, sizeof digits)) != NULL) {
        if (token_table_around(&k, (size_t)(at - bytes)) && find_tables(&k)) {
            struct symbols *s = read_symbols(&k);
            if (symbols_count(s))
                return s;
            symbols_close(s);
        }
        at++;
    }
    snprintf(why, n_why,
             "there is no Linux kernel with its names in it, or not unpacked yet, or too new a "
             "one");
    return NULL;
}
