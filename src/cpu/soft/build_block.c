/*
 * cpu/soft/build_block.c -- straight-line code to a block of micro-operations, once per block.
 *
 * cpu/decode.h says what each instruction is, choose.c who handles it.  Here they are
 * lined up: a block ends at a branch, at a system operation, at the page's end or after
 * BLOCK_INSNS instructions; after the last two an op_fall is put that goes on.
 */
#include "cpu/soft/exec.h"

enum { MAX_INSN = 15 };         /* bytes  [SDM 2A "Instruction Format"] */

void soft_decode_init(void)
{
    decode_init();
    sse_table_init();
}

static enum code_width code_width(const struct soft *s)
{
    switch (s->mode) {
    case MODE_LONG64:                   return CODE64;
    case MODE_PROT32: case MODE_LONG32: return CODE32;
    default:                            return CODE16;
    }
}

/* Ends a block that ends at no branch: go on behind it. */
static void op_fall(struct soft *s, const struct uop *u)
{
    FOLLOW(s, u, 0);
}

/* uop.left: who leaves the block at u[m] has not executed so many. */
static void count_left(struct uop *u, unsigned n_uops, unsigned n)
{
    unsigned k = 0;

    for (unsigned m = 0; m < n_uops && k < n; m++)
        u[m].left = (uint8_t)(n - k++);
}

/* A comparison and the conditional jump on it: the first handler does both. */
static void fuse(struct uop *first, const struct uop *jump)
{
    unsigned cc;
    op_fn *both = is_jcc(jump->fn, &cc) ? alu_and_jcc(first->fn, cc) : NULL;

    if (both)
        first->fn = both;
}

unsigned soft_decode(struct soft *s, const uint8_t *hva, size_t avail, uint64_t rip,
                     unsigned max, struct uop *u, unsigned *n_insns, unsigned *n_bytes)
{
    unsigned n = 0, off = 0, looked_at = 0;
    bool ends = false;

    while (n < max && !ends) {
        struct decoded d;
        struct uop *at = &u[n];
        uint64_t at_rip = rip_mask(s, rip + off);
        enum decode_result r = decode_insn(code_width(s), hva + off, avail - off, at_rip, &d);

        if ((r == DECODE_SHORT || r == DECODE_TOO_LONG) && avail - off < MAX_INSN) {
            if (!n)
                return 0;
            break;                              /* let it begin the next block */
        }
        memset(at, 0, sizeof *at);
        at->off = (uint16_t)off;
        if (r == DECODED) {
            at->fn = choose_handler(s, at, &d, at_rip, &ends);
        } else {
            at->fn = r == DECODE_TOO_LONG ? op_gp : op_ud;
            at->len = 1;
            ends = true;
            /* Any of its bytes may be the reason: a write to one changes the answer. */
            looked_at = off + (avail - off < MAX_INSN ? (unsigned)(avail - off) : MAX_INSN);
        }
        off += at->len;
        n++;
    }
    *n_insns = n;
    *n_bytes = looked_at > off ? looked_at : off;
    if (n > 1)
        fuse(&u[n - 2], &u[n - 1]);
    count_left(u, n, n);
    if (ends)
        return n;
    memset(&u[n], 0, sizeof u[n]);
    u[n].fn = op_fall;
    u[n].off = (uint16_t)off;
    u[n].imm = rip_mask(s, rip + off);
    return n + 1;
}
