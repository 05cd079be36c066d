/*
 * tests/robot/robot.c -- presses keys at random and changes the size of the
 * terminal, and expects the program to be there still.
 *
 *     robot KEYS RESIZES SEED COMMAND...
 *
 * Meant for `vitrine tui` built with the sanitizers.  Prints the seed; the same
 * seed presses the same keys.  Status 0 if the program lived until it was told to
 * go, and then ended with status 0.
 */
#include "tests/robot/pty.h"

#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

static uint64_t state;

static uint64_t chance(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % below;
}

/* Sequences of keys that lead somewhere, besides plain letters. */
static const char *const phrases[] = {
    "\033[A", "\033[B", "\033[C", "\033[D", "\033[5~", "\033[6~", "\033[H", "\033[F", "\t", "\033[Z", "\033", "\r",
    "\033OP", "\033OQ", "\033OR", "\033OS", "\033[15~", "\033[17~", "\033[18~", "\033[19~", "\033[20~",
    "/exit\r", "/zz", "\\exit==io\r", "\\\r", "\\kind==MA", ":pane guest\r", ":pane memory\r", ":pane paging\r",
    ":pane devices\r", ":pane serial\r", ":pane screen\r", ":pane monitor\r", ":pane timeline\r", ":pane stat\r",
    ":memory main\r", ":find Hello\r", ":walk main\r", ":100\r", ":time 1ms\r", ":info regs\r", ":help\r", ":la\t\t",
    ":pane breaks\r", ":break main\r", ":watch main\r", "rhlt\r", "rmark 1\r", ":monitor next\r", ":monitor print vm\r",
    ":until ex\t\t\r", "\\po\t\033", ":exit 20\r", ":stepi 7\r", "W", "z", "X", "t", "T",
    "\x0c", "\x04", "\x15", "\x06", "\x02", "1", "2", "3", "O", "]", "[", "F", "m", "u", "U", "\x7f\x7f\x7f", "\x1d",
    "\033[<0;10;10M", "\033[<64;5;5M",
};

static void press(struct pty *p)
{
    char letter[2] = { (char)(' ' + chance(95)), 0 };
    const char *text = chance(2) ? phrases[chance(sizeof phrases / sizeof phrases[0])] : letter;
    if (text[0] == 'q')         /* it is to stay */
        return;
    for (int i = 0; i < 200 && write(p->fd, text, strlen(text)) < 0; i++)
        pty_drain(p, 10);       /* it has enough to do */
}

static void resize(struct pty *p)
{
    static const unsigned short rows[] = { 1, 2, 3, 5, 10, 16, 24, 30, 43, 60, 100 };
    static const unsigned short columns[] = { 1, 2, 4, 10, 30, 40, 80, 119, 120, 200, 300 };
    pty_resize(p, rows[chance(11)], columns[chance(11)]);
}

/* Out of any prompt, and out; how it ended. */
static int leave(struct pty *p)
{
    int status;
    for (int i = 0; i < 300; i++) {
        static const char *const way[] = { "\x1d", "\033", "\x15", "\033", "q", "q" };
        if (write(p->fd, way[i % 6], strlen(way[i % 6])) < 0)
            break;
        usleep(100000);         /* for an Esc is one only if nothing follows */
        pty_drain(p, 0);
        if (waitpid(p->pid, &status, WNOHANG) == p->pid)
            return status;
    }
    kill(p->pid, SIGKILL);
    waitpid(p->pid, &status, 0);
    printf("# it did not leave when told to\n");
    return -1;
}

int main(int argc, char **argv)
{
    struct pty p;
    if (argc < 5) {
        fprintf(stderr, "usage: robot KEYS RESIZES SEED COMMAND...\n");
        return 2;
    }
    uint64_t keys = strtoull(argv[1], NULL, 0), resizes = strtoull(argv[2], NULL, 0), seed = strtoull(argv[3], NULL, 0);
    int status;
    if (!seed)
        seed = (uint64_t)time(NULL);
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    printf("# seed %" PRIu64 "\n", seed);
    if (!pty_start(&p, argv + 4, 24, 80))
        return 2;
    pty_drain(&p, 5000);
    for (uint64_t i = 0, done = 0; i < keys; i++) {
        press(&p);
        if (done < resizes && chance(keys) < resizes) {
            resize(&p);
            done++;
        }
        pty_drain(&p, i % 8 ? 0 : 20);
        if (waitpid(p.pid, &status, WNOHANG) == p.pid) {
            printf("# it ended after %" PRIu64 " keys: status %#x\n", i, (unsigned)status);
            return 1;           /* nobody told it to */
        }
    }
    status = leave(&p);
    if (status)
        printf("# it ended with status %#x\n", (unsigned)status);
    return status != 0;
}
