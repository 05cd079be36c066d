/*
 * lib/print.c -- printf on the debug console and COM1, and the self-check.
 *
 * There is no libgcc in a guest, so 64-bit numbers are divided by ten with
 * two 32-bit DIVs (put_number), as on paper.
 */
#include "lib/guest.h"

unsigned console = TO_DEBUGCON;

struct sink {                   /* either a buffer or, if NULL, the console */
    char *buf;
    size_t size, len;
};

void serial_init(void)
{
    outb(COM1 + 1, 0x00);       /* no interrupts                          */
    outb(COM1 + 3, 0x80);       /* the first two registers: the divisor   */
    outb(COM1 + 0, 1);          /* 115200 baud                            */
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x03);       /* 8 data bits, no parity, 1 stop bit     */
    outb(COM1 + 4, 0x0b);       /* DTR, RTS, and OUT2, which gates the IRQ */
    /* The FIFO stays off: switching it on throws away what was received,
     * and a byte typed before the guest started is not to be lost. */
}

void serial_putc(char c)
{
    while (!(inb(COM1 + 5) & 0x20))     /* transmitter holding register empty? */
        ;
    outb(COM1, (uint8_t)c);
}

/* "Transmitter empty", not only its holding register: a machine that ends with
 * a byte on its way loses it.  Guests that never used the line ask nothing. */
void serial_flush(void)
{
    while ((console & TO_SERIAL) && !(inb(COM1 + 5) & 0x40))
        ;
}

int serial_getc(void)
{
    return inb(COM1 + 5) & 0x01 ? inb(COM1) : -1;
}

void putc(char c)
{
    if (console & TO_DEBUGCON)
        outb(PORT_DEBUGCON, (uint8_t)c);
    if (console & TO_SERIAL)
        serial_putc(c);
}

/* A function of its own by any compiler: a place for breakpoints. */
__attribute__((noinline)) static void emit(struct sink *s, char c)
{
    if (!s->buf)
        putc(c);
    else if (s->len + 1 < s->size)
        s->buf[s->len] = c;
    s->len++;
}

static void pad(struct sink *s, int n, char c)
{
    while (n-- > 0)
        emit(s, c);
}

static unsigned digit_of(uint64_t *v, unsigned base)
{
    uint32_t hi = (uint32_t)(*v >> 32), lo = (uint32_t)*v, rest = hi % base;

    hi /= base;
    __asm__("divl %4" : "=a"(lo), "=d"(rest) : "a"(lo), "d"(rest), "r"((uint32_t)base) : "cc");
    *v = (uint64_t)hi << 32 | lo;
    return rest;
}

struct spec {
    int width;
    bool zero, left;
};

static void put_number(struct sink *s, struct spec sp, uint64_t v, unsigned base, bool minus)
{
    char digits[24];
    int n = 0;

    do
        digits[n++] = "0123456789abcdef"[digit_of(&v, base)];
    while (v);
    int fill = sp.width - n - minus;
    if (!sp.zero && !sp.left)
        pad(s, fill, ' ');
    if (minus)
        emit(s, '-');
    if (sp.zero)
        pad(s, fill, '0');
    while (n)
        emit(s, digits[--n]);
    if (sp.left)
        pad(s, fill, ' ');
}

static void put_string(struct sink *s, struct spec sp, const char *str)
{
    int fill = sp.width - (int)strlen(str);

    if (!sp.left)
        pad(s, fill, ' ');
    while (*str)
        emit(s, *str++);
    if (sp.left)
        pad(s, fill, ' ');
}

static const char *parse_spec(const char *f, struct spec *sp, int *longs)
{
    *sp = (struct spec){0};
    *longs = 0;
    for (; *f == '-' || *f == '0'; f++)
        *(*f == '-' ? &sp->left : &sp->zero) = true;
    for (; *f >= '0' && *f <= '9'; f++)
        sp->width = sp->width * 10 + *f - '0';
    for (; *f == 'l'; f++)
        ++*longs;
    return f;
}

static void format(struct sink *s, const char *f, va_list ap)
{
    struct spec sp;
    int longs;

    for (; *f; f++) {
        if (*f != '%') {
            emit(s, *f);
            continue;
        }
        f = parse_spec(f + 1, &sp, &longs);
        bool wide = longs > 1 || (longs == 1 && sizeof(long) == 8);
        int64_t v;
        switch (*f) {
        case 'c':
            emit(s, (char)va_arg(ap, int));
            break;
        case 's':
            put_string(s, sp, va_arg(ap, const char *));
            break;
        case 'p':
            put_number(s, sp, (uintptr_t)va_arg(ap, void *), 16, false);
            break;
        case 'd':
            v = wide ? va_arg(ap, int64_t) : va_arg(ap, int);
            put_number(s, sp, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0);
            break;
        case 'u':
        case 'x':
            put_number(s, sp, wide ? va_arg(ap, uint64_t) : va_arg(ap, unsigned),
                       *f == 'u' ? 10 : 16, false);
            break;
        case '\0':
            return;
        default:
            emit(s, *f);
        }
    }
}

int printf(const char *fmt, ...)
{
    struct sink s = {0};
    va_list ap;

    va_start(ap, fmt);
    format(&s, fmt, ap);
    va_end(ap);
    return (int)s.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    struct sink s = {buf, size, 0};
    va_list ap;

    va_start(ap, fmt);
    format(&s, fmt, ap);
    va_end(ap);
    if (size)
        buf[s.len < size ? s.len : size - 1] = '\0';
    return (int)s.len;
}

void die(const char *fmt, ...)
{
    struct sink s = {0};
    va_list ap;

    va_start(ap, fmt);
    format(&s, fmt, ap);
    va_end(ap);
    printf("\n");
    guest_exit(1);
}

static unsigned n_wrong;

bool check(bool ok, const char *what, ulong got, ulong want)
{
    if (!ok) {
        printf("WRONG: %s: got %lx, want %lx\n", what, got, want);
        n_wrong++;
    }
    return ok;
}

int check_result(void)
{
    return n_wrong ? 1 : 0;
}
