/*
 * The GDB stub on a machine, without a socket: packets in, answers out.
 *   run    make unit
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "debugger/gdb/packet.h"
#include "debugger/gdb/stub.h"
#include "link_board.h"

/* 16-bit code at 1000h, then 32-bit at 1020h: real mode counts in BX, and after 3 rounds
 * it goes to protected mode.
 *   1000  xor bx,bx     1002  inc bx           1003  mov [2000h],bx   1007  cmp bx,3   100a  jne 1002h
 *   100c  lgdt [1060h]  1011  mov eax,cr0      1014  or al,1          1016  mov cr0,eax
 *   1019  jmp 8:1020h   1020  inc eax  1021  mov ebx,12345678h  1026  jmp 1020h
 *   1040  the GDT: null, code, data            1060  17h, 1040h */
static const uint8_t code[0x70] = {
    0x31, 0xdb, 0x43, 0x89, 0x1e, 0x00, 0x20, 0x83, 0xfb, 0x03, 0x75, 0xf6, 0x0f, 0x01, 0x16, 0x60, 0x10,
    0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0xea, 0x20, 0x10, 0x08, 0x00,
    [0x20] = 0x40, 0xbb, 0x78, 0x56, 0x34, 0x12, 0xeb, 0xf8,
    [0x48] = 0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00,
    [0x60] = 0x17, 0x00, 0x40, 0x10, 0x00, 0x00,
};
static const uint8_t triple[] = { 0x0f, 0x01, 0x1e, 0x00, 0x30, 0xcc };    /* lidt [3000h]; int3 */

static char path[] = "/tmp/vitrine-test-gdb-XXXXXX";
static struct link *l;
static struct gdb_stub *stub;
static char heard[200000];

static void start(const uint8_t *bytes, size_t n)
{
    l = start_guest(path, bytes, n);
    stub = gdb_stub_new(&(struct gdb_options){ .link = l, .guest_path = path });
    assert_non_null(stub);
    gdb_stub_connected(stub);
}

static int stop(void **state)
{
    (void)state;
    gdb_stub_gone(stub);
    gdb_stub_free(stub);
    link_end(l);
    return 0;
}

/* What comes within so long, up to a packet that is no output of the console: its body. */
static const char *hear(int ms)
{
    size_t n = 0, k;
    char *last = NULL;
    for (int i = 0; i <= ms && (!last || last[1] == 'O'); i++) {
        const char *out = gdb_stub_output(stub, &k);
        assert_true(n + k < sizeof heard);
        memcpy(heard + n, out ? out : "", k);
        gdb_stub_sent(stub, k);
        heard[n += k] = 0;
        last = strrchr(heard, '$');
        if (last && !strncmp(last, "$OK#", 4))
            break;
        if (!last) {
            link_poll(l, 1);
            gdb_stub_news(stub);
        }
    }
    if (!last)
        return "nothing";
    last[strcspn(last, "#")] = 0;
    return last + 1;
}

static void say(const char *body)
{
    char packet[4000];
    unsigned sum = 0;
    for (const char *c = body; *c; c++)
        sum += (unsigned char)*c;
    int n = snprintf(packet, sizeof packet, "$%s#%02x", body, sum & 255);
    gdb_stub_input(stub, packet, (size_t)n);
}

static const char *ask(const char *body)
{
    say(body);
    return hear(3000);
}

static void asserted(const char *body, const char *expected)
{
    const char *answer = ask(body);
    if (strncmp(answer, expected, strlen(expected)))
        print_message("%s: %s instead of %s\n", body, answer, expected);
    assert_int_equal(strncmp(answer, expected, strlen(expected)), 0);
}

static void empty(const char *body)
{
    assert_string_equal(ask(body), "");
    assert_non_null(strstr(heard, "$"));                /* an answer there was */
}

static uint64_t pc(void)
{
    struct cpu_state s;
    link_get_state(l, &s);
    return s.rip;
}

/* ---- tests ---- */

static void greeting(void **state)
{
    (void)state;
    start(code, sizeof code);
    assert_non_null(strstr(ask("qSupported:multiprocess+;swbreak+;hwbreak+;exec-events+"), "QStartNoAckMode+"));
    asserted("QStartNoAckMode", "OK");
    empty("vMustReplyEmpty");
    asserted("Hgp1.1", "OK");
    asserted("Hgp2.1", "E");
    asserted("qXfer:features:read:target.xml:0,20000", "l<?xml");
    assert_non_null(strstr(heard, "<architecture>i8086<"));
    asserted("qXfer:features:read:nosuch.xml:0,20", "E");
    asserted("qXfer:features:read:target.xml:fffff,20", "E");
    asserted("qXfer:memory-map:read::0,4000", "l<?xml");
    assert_non_null(strstr(heard, "rom"));
    asserted("qXfer:threads:read::0,4000", "l<?xml");
    asserted("?", "T05thread:p1.1;");
    asserted("qC", "QCp1.1");
    asserted("qfThreadInfo", "mp1.1");
    asserted("qsThreadInfo", "l");
    asserted("Tp1.1", "OK");
    asserted("Tp1.2", "E");
    asserted("qAttached:1", "1");
    asserted("vCont?", "vCont;c;C;s;S;t;r");
    asserted("qHostInfo", "triple:");
    asserted("qProcessInfo", "pid:1;");
    asserted("qRegisterInfo0", "name:eax;");
    asserted("qRegisterInfofff", "E");
    asserted("QNonStop:0", "OK");
    asserted("QNonStop:1", "E");
    empty("qNoSuch");
    empty("jThreadsInfo");
    empty("");
    empty("vFile:open:2f,0,0");                         /* gdb is on this machine */
    asserted("!", "OK");
}

static void memory(void **state)
{
    (void)state;
    start(code, sizeof code);
    asserted("m1000,4", "31db4389");
    asserted("x1000,2", "b1");
    asserted("M2000,4:01020304", "OK");
    asserted("m2000,4", "01020304");
    asserted("X2000,1:}\003", "OK");                    /* an escaped # */
    asserted("m2000,4", "23020304");
    asserted("X2000,5:ab", "E");
    asserted("M2000,4:0102", "E");
    asserted("m1000,0", "");
    asserted("m7fffffff0000,10", "E");
    asserted("mffffffffffffffff,ffff", "E");
    asserted("m1ffffe,4", "0000");                      /* the end of RAM: as much as there is */
    assert_int_equal(strlen(ask("m1ffffe,4")), 4);
    asserted("m,", "E");
    asserted("m1000", "E");
    assert_int_equal(strlen(ask("m0,ffffffff")), 0x20000);
    asserted("qSearch:memory:0;100000;\x78\x56\x34\x12", "1,1022");
    asserted("qSearch:memory:0;1000;\x78\x56\x34\x12", "0");
    asserted("qSearch:memory:0;100000;", "E");
    asserted("qCRC:1000,4", "C");
    asserted("qCRC:7fffffff0000,4", "E");
    asserted("qMemoryRegionInfo:1000", "start:1000;size:");
}

/* CRC-32 as gdb has it: of "123456789". */
static void crc(void **state)
{
    (void)state;
    start(code, sizeof code);
    asserted("M2000,9:313233343536373839", "OK");
    asserted("qCRC:2000,9", "C376e6e7");
}

static void registers(void **state)
{
    (void)state;
    start(code, sizeof code);
    ask("qSupported:exec-events+");
    asserted("p8", "00100000");                         /* eip */
    asserted("P0=78563412", "OK");
    asserted("p0", "78563412");
    asserted("P8=03100000", "OK");
    assert_int_equal(pc(), 0x1003);
    asserted("p999", "E");
    asserted("P0=1", "E");
    asserted("Pzz=1", "E");
    char all[4000];
    snprintf(all, sizeof all, "G%s", ask("g"));
    memcpy(all + 1, "ffeeddcc", 8);
    asserted(all, "OK");
    asserted("p0", "ffeeddcc");
    asserted("Gzz", "E");
}

/* Sixteen bits, a breakpoint that is seen once, and the change to 32 told as an exec. */
static void running(void **state)
{
    (void)state;
    start(code, sizeof code);
    ask("qSupported:multiprocess+;swbreak+;hwbreak+;exec-events+");
    asserted("vCont;s:p1.1", "T05thread:p1.1;");
    assert_int_equal(pc(), 0x1002);
    asserted("Z0,1003,1", "OK");
    asserted("Z0,1003,1", "OK");
    asserted("vCont;c:p1.-1", "T05thread:p1.1;swbreak:;");
    assert_int_equal(pc(), 0x1003);
    asserted("m1003,1", "89");                          /* nothing is written there */
    asserted("z0,1003,1", "OK");
    asserted("z0,1003,1", "OK");
    asserted("Z1,1014,1", "OK");
    asserted("c", "T05thread:p1.1;hwbreak:;");
    assert_int_equal(pc(), 0x1014);
    asserted("Z1,1021,1", "OK");
    asserted("vCont;c", "T05thread:p1.1;exec:");
    asserted("qXfer:features:read:target.xml:0,20000", "l<?xml");
    assert_non_null(strstr(heard, "<architecture>i386<"));
    asserted("vCont;c", "T05thread:p1.1;hwbreak:;");
    assert_int_equal(pc(), 0x1021);
    asserted("vCont;r1020,1023:p1.1", "T05thread:p1.1;");
    assert_int_equal(pc(), 0x1026);
    asserted("Z9,1,1", "E");
    asserted("Z0", "E");
    asserted("vCont;q", "E");
    asserted("vCont", "E");
    assert_true(strchr("ET", ask("bs")[0]));            /* whether it can or not, there is an answer */
    assert_true(strchr("ET", ask("bc")[0]));
}

static void watching(void **state)
{
    (void)state;
    start(code, sizeof code);
    ask("qSupported:multiprocess+;swbreak+;hwbreak+;exec-events+");
    asserted("Z2,2000,2", "OK");
    asserted("vCont;c", "T05thread:p1.1;watch:2000;");
    assert_int_equal(pc(), 0x1007);
    asserted("z2,2000,2", "OK");
    asserted("Z3,2000,2", "OK");
    asserted("z3,2000,2", "OK");
    /* bx == 3, as byte code: 26 0003 (ebx), 2a 10 (16 bits), 22 03, 13 (equal), 27 */
    asserted("Z0,1007,1;X9,2600032a1022031327", "OK");
    asserted("vCont;c", "T05thread:p1.1;swbreak:;");
    asserted("p3", "03000000");
    asserted("Z0,1007,1;X9,2600", "E");
    asserted("Z0,1007,1;X1,ff", "E");
}

/* Ctrl-C; a guest that ends badly can be looked at, and then ends. */
static void ends(void **state)
{
    (void)state;
    start(code, sizeof code);
    ask("qSupported:multiprocess+");
    say("vCont;c");
    gdb_stub_input(stub, "\003", 1);
    assert_int_equal(strncmp(hear(3000), "T02", 3), 0);
    stop(NULL);
    start(triple, sizeof triple);
    ask("qSupported:multiprocess+");
    asserted("vCont;c", "T06thread:p1.1;");
    asserted("m1000,2", "0f01");
    asserted("?", "T06");
    assert_true(gdb_stub_looking(stub));
    asserted("vCont;c", "W78;process:1");
    assert_false(gdb_stub_looking(stub));
}

/* k and D let it run on, a client that goes away leaves it as it is. */
static void going(void **state)
{
    (void)state;
    start(code, sizeof code);
    ask("?");
    gdb_stub_gone(stub);
    assert_int_equal(link_state(l), LINK_STOPPED);
    gdb_stub_connected(stub);
    ask("?");
    asserted("Z0,1021,1", "OK");
    say("k");
    assert_true(gdb_stub_wants_close(stub));
    gdb_stub_gone(stub);
    assert_int_equal(link_state(l), LINK_RUNNING);
    usleep(20000);
    assert_int_equal(link_poll(l, 10) & LINK_NEWS_STATE, 0);    /* the breakpoint is gone too */
    gdb_stub_connected(stub);
    asserted("qSupported:multiprocess+", "PacketSize");
    assert_int_equal(link_state(l), LINK_RUNNING);              /* a greeting stops nothing */
    asserted("?", "T");
    assert_int_equal(link_state(l), LINK_STOPPED);
    asserted("D;9", "E");
    asserted("!", "OK");
    asserted("D;9", "E");
    asserted("D;1", "OK");
    assert_false(gdb_stub_wants_close(stub));
    assert_int_equal(link_state(l), LINK_RUNNING);
    asserted("vAttach;1", "T");
    asserted("vAttach;7", "E");
    asserted("vKill;1", "OK");
    assert_int_equal(link_state(l), LINK_RUNNING);
}

/* A request more, while the guest runs and is to pause: both are answered. */
static void impatient(void **state)
{
    (void)state;
    start(code, sizeof code);
    ask("qSupported:multiprocess+");
    say("vCont;c");
    gdb_stub_input(stub, "\003", 1);
    asserted("vCont;c", "E");
    assert_int_equal(strncmp(hear(3000), "T02", 3), 0);
    asserted("qRcmd,636f6e74696e7565", "OK");           /* continue */
    assert_int_equal(link_state(l), LINK_RUNNING);
    asserted("vCont;s", "T05");
    assert_int_equal(link_state(l), LINK_STOPPED);
}

/*   1000  mov bx,20h   1003  xor cx,cx   1005  loop 1005h   1007  dec bx   1008  jne 1003h   100a  jmp 100ah */
static const uint8_t slow[] = { 0xbb, 0x20, 0x00, 0x31, 0xc9, 0xe2, 0xfe, 0x4b, 0x75, 0xf9, 0xeb, 0xfe };

/* Who leaves in the midst of a long step does not leave the guest standing at its end. */
static void leaving(void **state)
{
    (void)state;
    start(slow, sizeof slow);
    ask("qSupported:multiprocess+");
    say("vCont;r1000,100a");
    asserted("D;1", "OK");
    for (int i = 0; i < 3000 && pc() != 0x100a; i++) {
        link_poll(l, 1);
        gdb_stub_news(stub);
    }
    assert_int_equal(pc(), 0x100a);
    assert_int_equal(link_state(l), LINK_RUNNING);
}

/* The monitor hangs, and dies: there is an answer to everything. */
static void no_monitor(void **state)
{
    (void)state;
    start(code, sizeof code);
    ask("qSupported:multiprocess+");
    asserted("?", "T05");
    kill(link_pid(l), SIGSTOP);
    asserted("m1000,2", "31db");
    asserted("p0", "");
    asserted("Z0,1000,1", "E");
    asserted("P0=00000000", "E");
    asserted("vCont;s", "E");
    kill(link_pid(l), SIGCONT);
    hear(200);
    stop(NULL);
    start(code, sizeof code);
    ask("qSupported:multiprocess+");
    say("vCont;c");
    hear(0);
    kill(link_pid(l), SIGSTOP);
    gdb_stub_input(stub, "\003", 1);
    assert_int_equal(strncmp(hear(9000), "T02", 3), 0);
    kill(link_pid(l), SIGKILL);
    link_poll(l, 2000);
    asserted("m1000,2", "31db");
    asserted("M1000,2:0000", "E");
    asserted("vCont;c", "T06");         /* it is looked at first */
    asserted("vCont;c", "X06");
}

/* `monitor` commands that stop a guest which the client has told to go: one stop reply, no
 * more and no less, for each time it was told. */
static void stopped_by_command(void **state)
{
    static const uint8_t waits[] = {                            /* for the keyboard, as in test_link.c */
        0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21, 0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21,
        0xb0, 0xfd, 0xe6, 0x21, 0xfb, 0xf4, 0xeb, 0xfc,
    };
    (void)state;
    start(code, sizeof code);
    ask("qSupported:multiprocess+");
    say("vCont;c");
    asserted("qRcmd,7061757365", "OK");                         /* pause */
    assert_int_equal(strncmp(hear(3000), "T02", 3), 0);
    assert_string_equal(hear(20), "nothing");
    say("vCont;c");
    asserted("qRcmd,7374657069", "OK");                         /* stepi: it runs, says the console */
    assert_string_equal(hear(20), "nothing");
    gdb_stub_input(stub, "\003", 1);
    assert_int_equal(strncmp(hear(3000), "T02", 3), 0);
    stop(NULL);
    start(waits, sizeof waits);
    ask("qSupported:multiprocess+");
    say("vCont;c");
    for (int i = 0; i < 3000 && !gdb_stub_starved(stub); i++)
        hear(0);
    assert_string_equal(hear(20), "nothing");                   /* it runs, for all that the client knows */
    asserted("qRcmd,636f6e74696e7565", "OK");                   /* continue: and waits again */
    assert_string_equal(hear(20), "nothing");
    asserted("qRcmd,7061757365", "OK");
    assert_int_equal(strncmp(hear(3000), "T02", 3), 0);
    assert_string_equal(hear(20), "nothing");
    say("vCont;c");
    for (int i = 0; i < 3000 && !gdb_stub_starved(stub); i++)
        hear(0);
    asserted("qRcmd,726576657273652d7374657069", "OK");         /* reverse-stepi */
    assert_int_equal(strncmp(hear(3000), "T05", 3), 0);
    assert_string_equal(hear(20), "nothing");
}

/* `run` while the guest runs and its stop is owed is refused, and the stop is told nevertheless. */
static void run_while_it_runs(void **state)
{
    (void)state;
    start(code, sizeof code);
    ask("qSupported:multiprocess+");
    say("vCont;c");
    asserted("vRun", "E.the guest runs already");
    gdb_stub_input(stub, "\003", 1);
    assert_int_equal(strncmp(hear(3000), "T02", 3), 0);
    assert_string_equal(hear(20), "nothing");
}

/* An interrupt that crosses the stop reply of a step interrupts the next; an old one does not. */
static void crossing(void **state)
{
    (void)state;
    start(code, sizeof code);
    ask("qSupported:multiprocess+");
    asserted("vCont;s", "T05");
    uint64_t before = pc();
    gdb_stub_input(stub, "\003", 1);
    asserted("vCont;s", "T02");
    assert_int_equal(pc(), before);
    asserted("vCont;s", "T05");
    assert_int_not_equal(pc(), before);
    gdb_stub_input(stub, "\003", 1);
    usleep(300000);
    asserted("vCont;s", "T05");
}

static unsigned asked_for;
static bool enough_at_third(void *arg) { return arg == &asked_for && ++asked_for == 3; }

/* What takes long can be interrupted, and is asked so often that nobody waits for it. */
static void interrupted(void **state)
{
    (void)state;
    start(code, sizeof code);
    gdb_stub_free(stub);
    stub = gdb_stub_new(&(struct gdb_options){ .link = l, .guest_path = path, .arg = &asked_for,
                                               .interrupted = enough_at_third });
    assert_non_null(stub);
    gdb_stub_connected(stub);
    asserted("qSearch:memory:0;a0000;nosuchbytes", "E");
    assert_int_equal(asked_for, 3);
    asserted("qSearch:memory:0;20000;nosuchbytes", "0");
    asked_for = 0;
    asserted("qCRC:0,90000", "E");
    asked_for = 3;
    say("qC");                          /* an interrupt behind a packet in the same bytes */
    gdb_stub_input(stub, "+$qSearch:memory:0;a0000;nosuch#2b+\003", 36);
    assert_int_equal(strncmp(hear(100), "E", 1), 0);
}

/* What `monitor` says comes in O packets, before the OK. */
static void commands(void **state)
{
    (void)state;
    start(code, sizeof code);
    asserted("qRcmd,696e666f20737461747573", "OK");             /* info status */
    assert_non_null(strstr(heard, "$O"));
    asserted("qRcmd,", "OK");
    asserted("qRcmd,zz", "OK");
    asserted("qRcmd,6e6f73756368", "OK");                       /* nosuch: a sentence */
    assert_non_null(strstr(heard, "$O"));
    asserted("qRcmd,71756974", "OK");
    assert_true(gdb_stub_quit(stub));
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return 2;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(greeting, stop),
        cmocka_unit_test_teardown(memory, stop),
        cmocka_unit_test_teardown(crc, stop),
        cmocka_unit_test_teardown(registers, stop),
        cmocka_unit_test_teardown(running, stop),
        cmocka_unit_test_teardown(watching, stop),
        cmocka_unit_test_teardown(ends, stop),
        cmocka_unit_test_teardown(going, stop),
        cmocka_unit_test_teardown(impatient, stop),
        cmocka_unit_test_teardown(stopped_by_command, stop),
        cmocka_unit_test_teardown(crossing, stop),
        cmocka_unit_test_teardown(interrupted, stop),
        cmocka_unit_test_teardown(run_while_it_runs, stop),
        cmocka_unit_test_teardown(leaving, stop),
        cmocka_unit_test_teardown(no_monitor, stop),
        cmocka_unit_test_teardown(commands, stop),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
