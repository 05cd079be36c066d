/*
 * tiny/user.c -- the programs: what runs in ring 3.
 *
 * They may read the image they are part of but write only their own pages, so
 * there are no variables here outside of functions.  Everything else they ask
 * of the kernel: syscall() is INT 0x80 in 32 bits and SYSCALL in 64.
 */
#include "tiny/tiny.h"

long syscall(ulong nr, ulong a, ulong b);               /* switch.S */
long syscall_by_int(ulong nr, ulong a, ulong b);

enum { LINE = 200, EOT = 4 };

#define SAY(...)                                                                        \
    do {                                                                                \
        char text_[LINE];                                                               \
        int n_ = snprintf(text_, sizeof(text_), __VA_ARGS__);                           \
        syscall(SYS_write, (ulong)text_, n_ < LINE ? (ulong)n_ : LINE - 1);             \
    } while (0)

static long primes(ulong n)
{
    volatile uint8_t *composite = (volatile uint8_t *)USER_BASE;
    unsigned count = 0;

    if (n == 0)
        n = 2000;
    if (n > (USER_PAGES - 8) * PAGE_SIZE)
        return 1;
    for (ulong i = 2; i < n; i++) {
        if (composite[i])
            continue;
        count++;
        for (ulong j = 2 * i; j < n; j += i)
            composite[j] = 1;
    }
    SAY("%u primes below %lu\n", count, n);
    return 0;
}

static long touch(ulong n)
{
    long before = syscall(SYS_faults, 0, 0);

    if (n == 0)
        n = 10;
    if (n > USER_PAGES - 8)
        return 1;
    for (ulong i = 0; i < n; i++)
        ((volatile uint8_t *)USER_BASE)[i * PAGE_SIZE] = 1;
    /* The old way into the kernel works in 64 bits as well. */
    SAY("%lu pages touched, %ld faults\n", n, syscall_by_int(SYS_faults, 0, 0) - before);
    return 0;
}

static long spin(ulong n)
{
    long until = syscall(SYS_ticks, 0, 0) + (long)(n ? n : 2);

    while (syscall(SYS_ticks, 0, 0) < until)
        for (volatile int i = 0; i < 20000; i++)
            ;
    return 0;
}

static long crash(ulong unused)
{
    ulong at = unused & 0;

    __asm__ volatile("" : "+r"(at));            /* or the compiler would see it coming */
    return *(volatile int *)at;
}

static long snoop(ulong unused)
{
    (void)unused;
    return *(volatile int *)0x90000;
}

/* ---- the shell ---- */

static int line_read(char *line, int size)
{
    int n = 0;

    for (;;) {
        char c = (char)syscall(SYS_read, 0, 0);
        if (c == EOT)
            return -1;
        if (c == '\r' || c == '\n') {
            syscall(SYS_write, (ulong)"\n", 1);
            line[n] = '\0';
            return n;
        }
        if (c == '\b' || c == 0x7f) {
            if (n > 0) {
                n--;
                syscall(SYS_write, (ulong)"\b \b", 3);
            }
        } else if (c >= ' ' && n + 1 < size) {
            line[n++] = c;
            char echo[1] = {c};
            syscall(SYS_write, (ulong)echo, 1);
        }
    }
}

/* Cut the next word off *p. */
static char *word(char **p)
{
    char *s = *p;

    while (*s == ' ')
        s++;
    char *e = s;
    while (*e && *e != ' ')
        e++;
    *p = *e ? e + 1 : e;
    *e = '\0';
    return s;
}

static ulong number(const char *s)
{
    ulong v = 0;

    for (; *s >= '0' && *s <= '9'; s++)
        v = v * 10 + (ulong)(*s - '0');
    return v;
}

static void help(void)
{
    SAY("help         this\necho TEXT    print it\nps           the processes\n"
        "mem          free pages\nprimes N     same as run primes N\n");
    SAY("run P N      run program P, wait for it\nrun P N &    do not wait\n"
        "wait PID     for a process to end\n");
    SAY("exit N       end the machine with status N\npoweroff     and without\nprograms:\n");
    for (int i = 0; i < N_PROGRAMS; i++)
        SAY("  %s\n", program_names[i]);
}

static void wait_for(long pid)
{
    long status = syscall(SYS_wait, (ulong)pid, 0);

    if (status)
        SAY("process %ld ended with status %ld\n", pid, status);
}

static void run(const char *name, ulong arg, bool wait)
{
    for (ulong i = 1; i < N_PROGRAMS; i++) {    /* one shell is enough */
        if (strcmp(program_names[i], name) != 0)
            continue;
        long pid = syscall(SYS_spawn, i, arg);
        if (pid < 0)
            SAY("no room for a process\n");
        else if (wait)
            wait_for(pid);
        else
            SAY("process %ld\n", pid);
        return;
    }
    SAY("%s: no such program\n", name);
}

/* False: the shell ends. */
static bool command(char *line, long *status)
{
    char *verb = word(&line);

    if (*verb == '\0')
        return true;
    if (strcmp(verb, "exit") == 0) {
        *status = (long)number(word(&line));
        return false;
    }
    if (strcmp(verb, "help") == 0) {
        help();
    } else if (strcmp(verb, "echo") == 0) {
        SAY("%s\n", line);
    } else if (strcmp(verb, "ps") == 0) {
        syscall(SYS_ps, 0, 0);
    } else if (strcmp(verb, "mem") == 0) {
        SAY("%ld pages free\n", syscall(SYS_mem, 0, 0));
    } else if (strcmp(verb, "wait") == 0) {
        wait_for((long)number(word(&line)));
    } else if (strcmp(verb, "primes") == 0) {
        run(verb, number(word(&line)), true);
    } else if (strcmp(verb, "poweroff") == 0) {
        syscall(SYS_halt, POWER_OFF, 0);
    } else if (strcmp(verb, "run") == 0) {
        char *name = word(&line), *arg = word(&line);
        run(name, number(arg), *arg != '&' && *word(&line) != '&');
    } else {
        SAY("%s: try help\n", verb);
    }
    return true;
}

/* The next command of the script, cut at ; or ,.  NULL: no more. */
static char *script_next(char **script)
{
    char *s = *script, *e;

    while (*s == ' ')
        s++;
    if (*s == '\0')
        return NULL;
    for (e = s; *e && *e != ';' && *e != ','; e++)
        ;
    *script = *e ? e + 1 : e;
    *e = '\0';
    return s;
}

static long shell(ulong unused)
{
    char buf[LINE], line[LINE], *script = buf, *next;
    long status = 0;

    (void)unused;
    if (syscall(SYS_script, (ulong)buf, sizeof(buf)) < 0)
        buf[0] = '\0';
    do {
        SAY("tiny$ ");
        if ((next = script_next(&script)))
            SAY("%s\n", next);
        else if (line_read(next = line, sizeof(line)) < 0)
            break;
    } while (command(next, &status));
    return status;
}

program_fn *const programs[N_PROGRAMS] = {
#define X(name, what) name,
    PROGRAM_LIST(X)
#undef X
};
const char *const program_names[N_PROGRAMS] = {
#define X(name, what) #name,
    PROGRAM_LIST(X)
#undef X
};
