/*
 * silicon.c -- the processor we run on as a judge, in ring 3.
 *
 * A signal is the way in and out: the handler of SIGUSR1 puts the registers of
 * the case where the kernel will load them from, code and stack segment
 * included, so sigreturn enters 16-, 32- or 64-bit code; the case ends with a
 * trap or a fault, whose handler takes the registers, the vector, the error
 * code and CR2 from the same place and puts ours back.
 *
 * The window lies at its linear address in our own process.  Cases run in a
 * child (judge.c), so one that goes astray ends only that.
 */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "judge.h"

static const struct test *now;
static struct outcome *result;
static volatile bool running;
static gregset_t ours_saved;
static struct fxsave our_fpu;

static const int order[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static void set_data_segments(uint16_t ds, uint16_t es)
{
    __asm__ volatile ("mov %0, %%ds; mov %1, %%es" :: "r"((uint32_t)ds), "r"((uint32_t)es));
}

/* The frame has the image that FXSAVE64 makes, and behind it which parts of the
 * state the kernel is to load.  [SDM 1 "XSAVE Area"] */
static void put_fpu(void *frame, const struct fxsave *f)
{
    uint64_t parts;

    memcpy(frame, f, offsetof(struct fxsave, unused));
    memcpy(&parts, (char *)frame + sizeof *f, 8);
    parts |= 3;
    memcpy((char *)frame + sizeof *f, &parts, 8);
}

static void enter(greg_t *g, void *fpu)
{
    memcpy(ours_saved, g, sizeof ours_saved);
    memcpy(&our_fpu, fpu, sizeof our_fpu);
    put_fpu(fpu, &now->fpu);
    for (int i = 0; i < 16; i++)
        g[order[i]] = (greg_t)now->gpr[i];
    g[REG_RIP] = (greg_t)now->at;
    g[REG_EFL] = (greg_t)(now->flags | FLAG_IF | (now->step ? FLAG_TF : 0));
    g[REG_CSGSFS] = (greg_t)((uint64_t)now->ss << 48 | now->cs);
    running = true;
    set_data_segments(now->ds, now->es);
}

static void leave(greg_t *g, void *fpu)
{
    uint16_t ds, es;

    __asm__ volatile ("mov %%ds, %0; mov %%es, %1" : "=r"(ds), "=r"(es));
    set_data_segments(0, 0);
    running = false;
    for (int i = 0; i < 16; i++)
        result->gpr[i] = (uint64_t)g[order[i]];
    result->rip = (uint64_t)g[REG_RIP];
    result->flags = (uint64_t)g[REG_EFL];
    result->cs = (uint16_t)g[REG_CSGSFS];
    result->ss = (uint16_t)((uint64_t)g[REG_CSGSFS] >> 48);
    result->ds = ds;
    result->es = es;
    result->vector = (int)g[REG_TRAPNO];
    result->error = (uint32_t)g[REG_ERR];
    result->cr2 = (uint64_t)g[REG_CR2];
    memcpy(&result->fpu, fpu, sizeof result->fpu);
    memcpy(g, ours_saved, sizeof ours_saved);
    put_fpu(fpu, &our_fpu);
}

static void handler(int sig, siginfo_t *si, void *context)
{
    ucontext_t *u = context;

    (void)si;
    /* AC would fault our own accesses; NT and ID would stay for the next case. */
    __asm__ volatile ("pushfq; andl $~0x244000, (%%rsp); popfq" ::: "cc", "memory");
    if (running) {
        leave(u->uc_mcontext.gregs, u->uc_mcontext.fpregs);
    } else if (sig == SIGUSR1) {
        enter(u->uc_mcontext.gregs, u->uc_mcontext.fpregs);
    } else {
        signal(sig, SIG_DFL);
    }
}

static const char *map_window(void)
{
    uint8_t *w = (uint8_t *)WINDOW;

    if (mmap(w, WINDOW_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != w)
        return "the window's address is taken in this process";
    for (size_t i = 0; i < NELEM(parts); i++)
        if (mprotect(w + parts[i].from, parts[i].to - parts[i].from, PROT_READ | PROT_WRITE | PROT_EXEC))
            return "no memory that is writable and executable";
    return NULL;
}

static const char *make_ldt(void)
{
    for (unsigned i = 0; i < LDT_ROWS; i++) {
        const struct ldt_row *r = &ldt[i];
        struct user_desc d = {
            .entry_number = i, .base_addr = r->base, .limit = r->limit, .seg_32bit = r->big,
            .contents = r->contents, .read_exec_only = r->read_exec_only,
            .seg_not_present = r->absent,
        };
        if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d))
            return "modify_ldt is not allowed here";
    }
    return NULL;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SANITIZED)
enum { sanitized = true };
#else
enum { sanitized = false };
#endif

const char *silicon_init(void)
{
    static const int signals[] = { SIGUSR1, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
    struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    stack_t st = { .ss_size = 1 << 16 };
    const char *why = map_window();

    if (sanitized)
        return "the sanitizer's shadow memory is where 32-bit cases may write";
    if (!why)
        why = make_ldt();
    if (why)
        return why;
    st.ss_sp = malloc(st.ss_size);
    if (!st.ss_sp || sigaltstack(&st, NULL))
        return "no signal stack";
    for (size_t i = 0; i < NELEM(signals); i++)
        sigaction(signals[i], &a, NULL);
    return NULL;
}

static void copy_in(void)
{
    uint8_t *w = (uint8_t *)WINDOW;

    for (size_t i = 0; i < NELEM(parts); i++)
        if (parts[i].writable)
            memcpy(w + parts[i].from, image + parts[i].from, parts[i].to - parts[i].from);
}

void silicon(const struct test *t, struct outcome *o)
{
    static bool read_only_made;
    uint8_t *w = (uint8_t *)WINDOW;

    now = t;
    result = o;
    if (!read_only_made) {
        memcpy(w + READ_ONLY, image + READ_ONLY, PAGE_SIZE);
        mprotect(w + READ_ONLY, PAGE_SIZE, PROT_READ | PROT_EXEC);
        read_only_made = true;
    }
    copy_in();
    raise(SIGUSR1);
    for (size_t i = 0; i < NELEM(parts); i++)
        memcpy(o->window + parts[i].from, w + parts[i].from, parts[i].to - parts[i].from);
    /* INT3, INTO and INT1 are traps: go back to them. */
    if (o->vector == VEC_BP || o->vector == VEC_OF ||
        (o->vector == VEC_DB && t->mnemonic == ZYDIS_MNEMONIC_INT1))
        o->rip -= o->rip == t->at + t->len && t->n == 1 ? t->len : 1;
}
