/*
 * echo: two ways to wait for a byte.
 *
 * The first line is read by polling: the guest asks the line status register
 * until "data ready" comes up, and every question is an exit.  From then on
 * the UART asks for attention itself (IRQ 4) and the CPU sleeps in HLT: one
 * exit to sleep, an injection, and the byte.  Compare the counts.
 *
 * Every byte is sent back.  Type q, or Ctrl-D, to end.
 *
 *   run    vitrine run   build/guests/echo.elf
 *   watch  vitrine run   --stat build/guests/echo.elf    (IN from port 0x3fd)
 *
 * MARK 1: polling.  MARK 2: by interrupt.  MARK 3: done.
 */
#include "lib/guest.h"
#include "lib/desc.h"

enum { END_OF_TRANSMISSION = 4, IRQ_COM1 = 4 };

static volatile char queue[256];
static volatile uint8_t put, taken;     /* they wrap with the queue */

static void on_serial(struct frame *f)
{
    int c;

    (void)f;
    while ((c = serial_getc()) >= 0)
        queue[put++] = (char)c;
    pic_eoi(IRQ_COM1);
}

static char get_by_polling(void)
{
    int c;

    while ((c = serial_getc()) < 0)
        ;
    return (char)c;
}

static char get_by_interrupt(void)
{
    while (put == taken) {
        sti_hlt();
        cli();
    }
    return queue[taken++];
}

static unsigned echo(char (*get)(void), const char *until)
{
    unsigned n = 0;

    for (char c = get(); !strchr(until, c); c = get(), n++)
        serial_putc(c);
    return n;
}

int main(void)
{
    static const char last[] = {'q', END_OF_TRANSMISSION, '\0'};

    console = TO_SERIAL;
    serial_init();
    mark(1);
    printf("one line by polling:\n");
    unsigned polled = echo(get_by_polling, "\r\n");     /* Enter on a terminal is \r */

    mark(2);
    pic_init();
    trap_set(IRQ_BASE + IRQ_COM1, on_serial);
    pic_unmask(IRQ_COM1);
    printf("\nby interrupt, until q:\n");
    outb(COM1 + 1, 0x01);               /* interrupt when data is there */
    unsigned interrupted = echo(get_by_interrupt, last);

    mark(3);
    printf("\nbytes by polling: %u, by interrupt: %u\n", polled, interrupted);
    return 0;
}
