/*
 * string: one instruction, many steps, and interrupted in the middle.
 *
 * REP MOVS is a loop in one instruction.  It may stop after any element, at a
 * page fault or an interrupt; then RCX, RSI and RDI say how far it got, RIP
 * still points to it, and running it again goes on from there.  The guest tries
 * all five instructions, both directions, overlapping areas, a fault in the
 * middle that its handler repairs, and one that it does not.
 *
 *   run    vitrine run   build/guests/string32.elf
 *   watch  vitrine run   --trace - --trace-kinds MARK,DELIVER build/guests/string32.elf
 *
 * MARK 1: plain.  MARK 2: comparing.  MARK 3: faults.  MARK 4: ports.
 * MARK 5: done.
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

#define AREA 0x40000000ul               /* three pages; the middle one comes and goes */

static char buf[64];
static pte_t *root;
static unsigned faults;
static char frames[3][PAGE_SIZE] __attribute__((aligned(4096)));

struct regs {                           /* what a string instruction works with, and leaves */
    ulong si, di, cx, ax;
    bool zf;
};

/* Down: DF is set for the one instruction. */
#define STRING_FN(name, insn)                                                          \
    static void name(struct regs *r)                                                   \
    {                                                                                  \
        __asm__ volatile(insn "; sete %4; cld"                                         \
                         : "+S"(r->si), "+D"(r->di), "+c"(r->cx), "+a"(r->ax), "=m"(r->zf) \
                         : : "memory", "cc");                                          \
    }
STRING_FN(movs_up, "rep movsb")
STRING_FN(movs_down, "std; rep movsb")
STRING_FN(movs4_down, "std; rep movsl")
STRING_FN(stos2_up, "rep stosw")
STRING_FN(lods_up, "rep lodsb")
STRING_FN(scas_not, "cmp %%eax, %%eax; repne scasb")
STRING_FN(scas_same, "repe scasb")
STRING_FN(cmps_same, "cmp %%eax, %%eax; repe cmpsb")
STRING_FN(cmps_not, "test %%esp, %%esp; repne cmpsb")

static void alphabet(void)
{
    for (unsigned i = 0; i < sizeof(buf); i++)
        buf[i] = i < 26 ? (char)('a' + i) : '.';
    buf[26] = '\0';
}

static struct regs run(void (*fn)(struct regs *), const void *si, void *di, ulong cx, ulong ax)
{
    struct regs r = {(ulong)si, (ulong)di, cx, ax, false};

    fn(&r);
    return r;
}

static void plain(void)
{
    alphabet();
    run(movs_up, buf, buf + 1, 10, 0);          /* overlapping upwards: a pattern */
    printf("up, overlapping:   %s\n", buf);
    alphabet();
    run(movs_down, buf + 9, buf + 10, 10, 0);   /* downwards: a copy */
    printf("down, overlapping: %s\n", buf);
    alphabet();
    struct regs r = run(movs4_down, buf + 12, buf + 20, 3, 0);
    printf("down by fours:     %s\n", buf);
    CHECK("RSI moved by 12", r.si, (ulong)buf);
    CHECK("RCX", r.cx, 0);
    alphabet();
    run(stos2_up, NULL, buf + 3, 4, '-' | '+' << 8);
    printf("STOSW:             %s\n", buf);
    alphabet();
    r = run(lods_up, buf, NULL, 5, 0);          /* of a repeated LODS the last stays */
    printf("LODSB five times:  %c\n", (int)(r.ax & 0xff));
    r = run(movs_up, buf, buf + 1, 0, 0);       /* no times: nothing moves */
    CHECK("RSI after REP with 0", r.si, (ulong)buf);
}

static void comparing(void)
{
    alphabet();
    struct regs r = run(scas_not, NULL, buf, 26, 'k');
    printf("SCASB finds k at %lu, ZF %d\n", r.di - 1 - (ulong)buf, r.zf);
    r = run(scas_not, NULL, buf, 26, '!');
    printf("SCASB finds no !, left %lu, ZF %d\n", r.cx, r.zf);
    memset(buf, 'x', 20);
    r = run(scas_same, NULL, buf, 40, 'x');
    printf("SCASB skips x up to %lu, ZF %d\n", r.di - 1 - (ulong)buf, r.zf);
    alphabet();
    memcpy(buf + 32, "abcdefgHijk", 12);
    r = run(cmps_same, buf, buf + 32, 11, 0);
    printf("CMPSB equal up to %lu, ZF %d\n", r.si - 1 - (ulong)buf, r.zf);
    memcpy(buf + 32, "ABCDEfG", 8);
    r = run(cmps_not, buf, buf + 32, 7, 0);
    printf("CMPSB different up to %lu, ZF %d\n", r.si - 1 - (ulong)buf, r.zf);
    r = run(cmps_same, buf, buf + 32, 0, 0);    /* no times: flags stay */
    CHECK("ZF after REPE with 0", r.zf, true);
}

static void on_page_fault(struct frame *f)
{
    ulong at = cr2_read();

    if (at < AREA || at >= AREA + 3 * PAGE_SIZE)
        die("a fault at %lx", at);
    faults++;
    printf("  #PF error %lx, page %lu, RCX %lu\n", f->error, (at - AREA) / PAGE_SIZE, f->cx);
    *page_entry(root, at) |= PTE_P | PTE_W;
}

static void area_map(ulong present)             /* bit n: page n */
{
    for (ulong p = 0; p < 3; p++) {
        *page_entry(root, AREA + p * PAGE_SIZE) =
            (ulong)frames[p] | (present >> p & 1 ? PTE_P | PTE_W : 0);
        invlpg((void *)(AREA + p * PAGE_SIZE));
    }
}

static void faulting(void)
{
    root = page_start(0);
    trap_set(14, on_page_fault);

    printf("STOSW over three pages, two missing:\n");
    area_map(1);
    struct regs r = run(stos2_up, NULL, (void *)(AREA + 100), 4096, 0x5a5a);
    CHECK("faults", faults, 2);
    CHECK("RDI", r.di, AREA + 100 + 8192);
    CHECK("first byte", frames[0][100], 0x5a);
    CHECK("byte before", frames[0][99], 0);
    CHECK("last byte", frames[2][99], 0x5a);
    CHECK("byte after", frames[2][100], 0);

    printf("MOVSB downwards into a missing page:\n");
    area_map(6);
    memset(frames[2], 0x33, 16);
    r = run(movs_down, (void *)(AREA + 2 * PAGE_SIZE + 9), (void *)(AREA + PAGE_SIZE + 4), 10, 0);
    CHECK("faults", faults, 3);
    CHECK("RDI", r.di, AREA + PAGE_SIZE - 6);
    CHECK("low byte", frames[0][4095 - 4], 0x33);

    printf("MOVSL whose operand straddles a missing page:\n");
    area_map(5);
    ulong di = AREA + PAGE_SIZE - 6, si = (ulong)buf, cx = 3;
    __asm__ volatile("rep movsl" : "+D"(di), "+S"(si), "+c"(cx) : : "memory");
    CHECK("faults", faults, 4);
    CHECK("straddling data", memcmp((void *)(AREA + PAGE_SIZE - 6), buf, 12), 0);

    printf("one that is not repaired:\n");
    area_map(1);
    di = AREA + PAGE_SIZE - 5, cx = 100;
    ulong left = 0;
    bool fell = TRY("rep stosb", : "+D"(di), "+c"(cx) : "a"(0x77) : "memory");
    left = cx;
    printf("  fell: %d, left %lu\n", fell, left);
    CHECK("RDI at the fault", di, AREA + PAGE_SIZE);
}

static void ports(void)
{
    static const char text[] = "REP OUTSB: one instruction, one exit a byte\n";
    const char *si = text;
    ulong cx = sizeof(text) - 1;
    char in[5] = "....", *di = in;

    __asm__ volatile("rep outsb" : "+S"(si), "+c"(cx) : "d"(PORT_DEBUGCON) : "memory");
    CHECK("RSI after OUTS", si, text + sizeof(text) - 1);
    cx = 4;
    __asm__ volatile("rep insb" : "+D"(di), "+c"(cx) : "d"(PORT_DEBUGCON) : "memory");
    CHECK("INS reads the console's mark", (uint8_t)in[3], PORT_DEBUGCON);
    CHECK("RDI after INS", di, in + 4);
}

int main(void)
{
    mark(1);
    plain();
    mark(2);
    comparing();
    mark(3);
    faulting();
    mark(4);
    ports();
    mark(5);
    return check_result();
}
