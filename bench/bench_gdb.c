/*
 * How fast is the GDB stub?  Over a Unix socket, beside QEMU's stub (TCG) on the same
 * guest and gdbserver on a program, in one run:
 *
 *   raw steps       vCont;s and its stop reply, from a client that does nothing else
 *   memory          64 KiB at a time, in packets as large as the stub takes
 *   range           instructions a second in vCont;r
 *   conditions      evaluations a second of a breakpoint's byte code that is false
 *   stepi           in real gdb, a thousand of them from its Python
 *
 *   run: make bench, or build/bench/bench_gdb build/vitrine
 *
 * What is not installed is said to be missing, and so is the ratio to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

#define ROUNDS   5
#define ROUND_MS 200
#define NS       UINT64_C(1000000000)

static char dir[] = "/tmp/vitrine-bench-gdb-XXXXXX";
static char build[300];

/* ---- the other side ---- */

struct stub {
    const char *name;
    char  where[100];
    pid_t pid;
    int   fd;
    size_t packet;                      /* what it takes */
    char  buf[300000];
    size_t n, at;                       /* read from it, of which so much was used */
};

static bool is_there(const char *program)
{
    char command[200];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

static pid_t run(const char *command)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    setpgid(0, 0);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0), dup2(null, 1), dup2(null, 2);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static bool dial(struct stub *s)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    snprintf(a.sun_path, sizeof a.sun_path, "%s", s->where);
    for (int i = 0; i < 500; i++, usleep(10000)) {
        s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(s->fd, (struct sockaddr *)&a, sizeof a) == 0)
            return true;
        close(s->fd);
    }
    return false;
}

static void hang_up(struct stub *s)
{
    close(s->fd);
    kill(-s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    unlink(s->where);
}

/* ---- packets ---- */

static void say(struct stub *s, const char *body)
{
    char packet[600];
    unsigned sum = 0;
    for (const char *c = body; *c; c++)
        sum += (unsigned char)*c;
    int n = snprintf(packet, sizeof packet, "$%s#%02x", body, sum & 255);
    if (write(s->fd, packet, (size_t)n) != n) {
        printf("%s hung up\n", s->name);
        exit(2);
    }
}

static char next_byte(struct stub *s)
{
    if (s->at == s->n) {
        ssize_t n = read(s->fd, s->buf, sizeof s->buf);
        if (n <= 0) {
            printf("%s hung up\n", s->name);
            exit(2);
        }
        s->n = (size_t)n;
        s->at = 0;
    }
    return s->buf[s->at++];
}

/* The next packet's body, cut to fit; how long it was. */
static size_t hear(struct stub *s, char *body, size_t room)
{
    size_t n = 0;
    while (next_byte(s) != '$')
        ;
    for (;;) {                          /* as much at a time as there is */
        if (s->at == s->n) {
            char c = next_byte(s);
            s->at--;
            (void)c;
        }
        char *from = s->buf + s->at, *end = memchr(from, '#', s->n - s->at);
        size_t k = end ? (size_t)(end - from) : s->n - s->at;
        if (n < room - 1)
            memcpy(body + n, from, k < room - 1 - n ? k : room - 1 - n);
        n += k;
        s->at += k;
        if (end)
            break;
    }
    next_byte(s), next_byte(s), next_byte(s);
    body[n < room - 1 ? n : room - 1] = 0;
    return n;
}

static size_t ask(struct stub *s, const char *body, char *answer, size_t room)
{
    say(s, body);
    return hear(s, answer, room);
}

static void greet(struct stub *s)
{
    char answer[2000];
    ask(s, "qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+", answer, sizeof answer);
    const char *size = strstr(answer, "PacketSize=");
    s->packet = size ? strtoul(size + 11, NULL, 16) : 400;
    ask(s, "QStartNoAckMode", answer, sizeof answer);
    if (write(s->fd, "+", 1) != 1)
        exit(2);
    ask(s, "?", answer, sizeof answer);
    ask(s, "vCont?", answer, sizeof answer);
}

/* ---- what is measured ---- */

static struct bench_result steps(struct stub *s)
{
    static char answer[4000];
    double v[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t t0 = host_monotonic_ns(), now;
        unsigned n = 0;
        do {
            ask(s, "vCont;s:p1.1", answer, sizeof answer);
            if (answer[0] != 'T' && answer[0] != 'S') {
                printf("%s says %s to a step\n", s->name, answer);
                exit(2);
            }
            n++;
        } while ((now = host_monotonic_ns()) < t0 + ROUND_MS * (NS / 1000));
        v[i] = n * 1e9 / (double)(now - t0);
    }
    return bench_settle(v, ROUNDS);
}

/* MB/s of 64 KiB at 1 MiB. */
static struct bench_result memory(struct stub *s)
{
    static char answer[300000];
    double v[ROUNDS];
    size_t most = (s->packet - 8) / 2 < 65536 ? (s->packet - 8) / 2 & ~(size_t)63 : 65536;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t t0 = host_monotonic_ns(), now;
        uint64_t bytes = 0;
        do {
            for (size_t at = 0; at < 65536; at += most) {
                char q[60];
                snprintf(q, sizeof q, "m%zx,%zx", 0x100000 + at, most);
                bytes += ask(s, q, answer, sizeof answer) / 2;
            }
        } while ((now = host_monotonic_ns()) < t0 + ROUND_MS * (NS / 1000));
        v[i] = (double)bytes * 1e3 / (double)(now - t0);
    }
    return bench_settle(v, ROUNDS);
}

/* `stepi`s a second in real gdb. */
static double stepi(const char *where, const char *file, const char *until)
{
    char command[1500], line[200];
    double rate = 0;
    snprintf(command, sizeof command,
             "gdb -nx -batch -ex 'set pagination off' -ex 'set sysroot' -ex 'target remote %s' -ex 'tbreak %s' -ex continue "
             "-ex 'python import time\nt=time.time()\nfor i in range(1000): gdb.execute(\"stepi\", to_string=True)\n"
             "print(\"RATE\", 1000 / (time.time() - t))' -ex kill %s 2>&1 </dev/null", where, until, file);
    FILE *out = popen(command, "r");
    while (out && fgets(line, sizeof line, out))
        if (strncmp(line, "RATE ", 5) == 0)
            rate = atof(line + 5);
    if (out)
        pclose(out);
    return rate;
}

static bool start(struct stub *s, const char *name, const char *format, const char *program)
{
    char command[900];
    s->name = name;
    s->n = s->at = 0;
    snprintf(s->where, sizeof s->where, "%s/%s", dir, name);
    snprintf(command, sizeof command, format, program, s->where, build);
    s->pid = run(command);
    return dial(s);
}

#define OURS(engine) "exec %s run --cpu " engine " --gdb unix:%s %s/guests/intmix32.elf"
#define QEMU(accel) "exec %s -S -display none -nic none -serial none -monitor none -m 32 -accel " accel \
             " -chardev socket,path=%s,server=on,wait=off,id=g -gdb chardev:g -kernel %s/guests/intmix32.elf 2>&1"

/* To the guest's main: past the loader, in code that both run. */
static void go_to(struct stub *s, const char *where)
{
    char answer[2000], q[60];
    snprintf(q, sizeof q, "Z0,%s,1", where);
    ask(s, q, answer, sizeof answer);
    ask(s, "vCont;c:p1.-1", answer, sizeof answer);
    q[0] = 'z';
    ask(s, q, answer, sizeof answer);
}

/* Instructions so far: the register that `monitor info status` prints is asked for. */
static double insns(struct stub *s)
{
    static char answer[40000];
    static const char q[] = "qRcmd,7072696e7420747363";        /* print tsc: a ns of virtual time, an instruction */
    unsigned long long v = 0;
    char text[400] = "";
    say(s, q);
    for (;;) {
        size_t n = hear(s, answer, sizeof answer);
        if (answer[0] != 'O' || answer[1] == 'K')
            break;
        for (size_t i = 1; i + 1 < n && i < 600; i += 2) {
            unsigned c;
            if (sscanf(answer + i, "%2x", &c) == 1)
                text[(i - 1) / 2] = (char)c;
        }
    }
    sscanf(text, "%llx", &v);
    return (double)v;
}

/* Per second of `what` (a way to go that only Ctrl-C ends), in instructions. */
static struct bench_result speed(struct stub *s, const char *what)
{
    static char answer[4000];
    double v[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        double before = insns(s);
        uint64_t t0 = host_monotonic_ns();
        say(s, what);
        usleep(ROUND_MS * 1000);
        if (write(s->fd, "\003", 1) != 1)
            exit(2);
        hear(s, answer, sizeof answer);
        v[i] = (insns(s) - before) * 1e9 / (double)(host_monotonic_ns() - t0);
    }
    return bench_settle(v, ROUNDS);
}

/* 32-bit code at 100000h: inc eax; mov [200000h],eax; nop; jmp 100000h */
static const uint8_t loop[] = { 0x40, 0xa3, 0x00, 0x00, 0x20, 0x00, 0x90, 0xeb, 0xf7 };
#define LOOP_INSNS 4

static bool in_the_monitor(const char *program)
{
    static struct stub s;
    char path[200], format[400], answer[2000];
    bool ok = true;
    snprintf(path, sizeof path, "%s/code", dir);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(loop, 1, sizeof loop, f) != sizeof loop || fclose(f))
        return false;
    snprintf(format, sizeof format, "exec %%s run --format flat@0x100000:32 --gdb unix:%%s %s # %%s", path);
    if (!start(&s, "loop", format, program))
        return false;
    greet(&s);
    ok &= bench_report_rate("instructions in vCont;r", speed(&s, "vCont;r100000,100009:p1.1"), "/s", 3e6);
    ask(&s, "Z0,100006,1;X7,26000022001327", answer, sizeof answer);        /* eax == 0 */
    if (strcmp(answer, "OK"))
        return false;
    struct bench_result r = speed(&s, "vCont;c");
    r = (struct bench_result){ r.median / LOOP_INSNS, r.min / LOOP_INSNS, r.max / LOOP_INSNS };
    ok &= bench_report_rate("conditions evaluated, false", r, "/s", 100e3);
    hang_up(&s);
    unlink(path);
    return ok;
}

/* gdb's own speed: what it does for a step besides asking is the same for all three. */
static bool in_gdb(const char *program)
{
    static struct stub s;
    char command[900], file[400];
    double ours, theirs = 0, server = 0;
    if (!is_there("gdb")) {
        printf("  no gdb here\n");
        return true;
    }
    snprintf(file, sizeof file, "%s/guests/intmix32.elf", build);
    start(&s, "stepi", OURS("soft"), program);
    close(s.fd);
    ours = stepi(s.where, file, "main");
    hang_up(&s);
    printf("  %-46s %12.0f /s\n", "stepi in gdb, vitrine", ours);
    if (is_there("qemu-system-i386") && start(&s, "stepi", QEMU("tcg"), "qemu-system-i386")) {
        close(s.fd);
        theirs = stepi(s.where, file, "main");
        hang_up(&s);
        printf("  %-46s %12.0f /s\n", "stepi in gdb, QEMU TCG", theirs);
    }
    snprintf(file, sizeof file, "%s/bench/intmix32", build);
    if (is_there("gdbserver") && access(file, X_OK) == 0) {
        snprintf(s.where, sizeof s.where, "localhost:%d", 20000 + getpid() % 10000);
        snprintf(command, sizeof command, "exec gdbserver %s %s", s.where, file);
        s.pid = run(command);
        usleep(500000);
        server = stepi(s.where, file, "main");
        kill(-s.pid, SIGKILL);
        waitpid(s.pid, NULL, 0);
        printf("  %-46s %12.0f /s\n", "stepi in gdb, gdbserver on a program", server);
    }
    if (theirs > 0)
        printf("  stepi %.1f times QEMU's\n", ours / theirs);
    if (server > 0)
        printf("  stepi %.2f times gdbserver's, target 1: %s\n", ours / server, ours >= server ? "met" : "MISSED");
    return !(server > 0) || ours >= server;
}

static const struct pair {
    const char *engine, *ours, *accel, *theirs;
    double least, ratio;                /* steps/s; times QEMU's */
    bool at_main;                       /* else where they begin: not every KVM gets to main */
} pairs[] = {
    { "soft", OURS("soft"), "TCG", QEMU("tcg"), 30000, 5, true },
    { "kvm",  OURS("kvm"),  "KVM", QEMU("kvm"), 0,     4, false },
};

/* Raw steps and reading memory, from main_at on; NULL: from the first instruction. */
static bool measure(const char *name, const char *format, const char *program, const char *main_at,
                    struct bench_result *step, struct bench_result *read)
{
    static struct stub s;
    if (!start(&s, name, format, program))
        return false;
    greet(&s);
    if (main_at)
        go_to(&s, main_at);
    *step = steps(&s);
    *read = memory(&s);
    hang_up(&s);
    return true;
}

static bool beside_qemu(const struct pair *p, const char *program, const char *main_at)
{
    struct bench_result ours, my_read, theirs, their_read;
    char what[80];
    if (!p->at_main)
        main_at = NULL;
    if (!measure(p->engine, p->ours, program, main_at, &ours, &my_read)) {
        printf("  %s cannot run it here\n", p->engine);
        return strcmp(p->engine, "soft") != 0;
    }
    snprintf(what, sizeof what, "%s: raw steps", p->engine);
    bool ok = bench_report_rate(what, ours, "/s", p->least);
    snprintf(what, sizeof what, "%s: memory, 64 KiB", p->engine);
    ok &= bench_report_rate(what, my_read, "MB/s", 200);
    if (!is_there("qemu-system-i386") ||
        !measure(p->accel, p->theirs, "qemu-system-i386", main_at, &theirs, &their_read)) {
        printf("  no QEMU with %s here: no ratio\n", p->accel);
        return ok;
    }
    snprintf(what, sizeof what, "QEMU %s: raw steps", p->accel);
    bench_report_rate(what, theirs, "/s", 0);
    snprintf(what, sizeof what, "QEMU %s: memory", p->accel);
    bench_report_rate(what, their_read, "MB/s", 0);
    bool met = ours.median >= p->ratio * theirs.median;
    printf("  %s: raw steps %.1f times QEMU's, target %.0f: %s; memory %.1f times\n", p->engine,
           ours.median / theirs.median, p->ratio, met ? "met" : "MISSED", my_read.median / their_read.median);
    return ok && met;
}

int main(int argc, char **argv)
{
    const char *program = argc > 1 ? argv[1] : "build/vitrine";
    char main_at[40] = "", command[500];
    if (!mkdtemp(dir))
        return 2;
    snprintf(build, sizeof build, "%s", program);
    char *slash = strrchr(build, '/');
    if (slash)
        *slash = 0;
    snprintf(command, sizeof command, "nm %s/guests/intmix32.elf | awk '$3 == \"main\" { print $1 }'", build);
    FILE *nm = popen(command, "r");
    if (!nm || fscanf(nm, "%39s", main_at) != 1)
        return 2;
    pclose(nm);

    printf("bench_gdb: over a Unix socket\n");
    bool ok = true;
    for (size_t i = 0; i < NELEM(pairs); i++)
        ok &= beside_qemu(&pairs[i], program, main_at);
    ok &= in_the_monitor(program);
    ok &= in_gdb(program);
    rmdir(dir);
    return !ok;
}
