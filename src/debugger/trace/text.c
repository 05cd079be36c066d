/*
 * debugger/trace/text.c -- an event as an aligned line or as JSON.
 *
 * Names of arguments come from trace_kinds[]; how a number is best shown goes
 * by that name (an address in hex, a count in decimal, a verdict as a word):
 * debugger/trace/field.c.  An exit's two words are unpacked and described as
 * the run itself would have described them.
 *
 * JSON: numbers are numbers where they count something, and "0x..." strings
 * where they are addresses or bits, for JSON readers that keep 53 bits.
 */
#include "debugger/trace/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/utf8.h"
#include "cpu/exit.h"
#include "cpu/insn_event.h"
#include "cpu/state.h"
#include "debugger/symbols/disasm.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/field.h"
#include "debugger/trace/stuck_text.h"
#include "io/oddity.h"

const char *trace_text_listed_engine(const void *names, unsigned engine)
{
    const char *const *name = names;
    for (unsigned i = 0; name && name[i]; i++)
        if (i == engine)
            return name[i];
    return "?";
}

const char *trace_text_engine(const struct trace_text *x, unsigned engine)
{
    return x && x->engine_name ? x->engine_name(x->engine_arg, engine) : "?";
}

/* printf onto the end of buf; nothing more once it is full. */
__attribute__((format(printf, 3, 4)))
static void append(char *buf, size_t n, const char *fmt, ...)
{
    size_t used = strlen(buf);
    va_list ap;
    if (used + 1 >= n)
        return;
    va_start(ap, fmt);
    vsnprintf(buf + used, n - used, fmt, ap);
    va_end(ap);
}

/* A value as its argument's name asks for: as a word, in decimal, or in hexadecimal. */
static void append_value(const struct trace_text *x, const char *arg, uint64_t v, char *buf,
                         size_t n)
{
    enum look look = trace_field_look(arg);
    const char *word = trace_field_word(x, look, v);
    if (word)
        append(buf, n, "%s", word);
    else if (look == DEC)
        append(buf, n, "%" PRIu64, v);
    else
        append(buf, n, "0x%" PRIx64, v);
}

/* What an oddity's two values are called depends on the oddity. */
static const char *arg_name(const struct trace_event *e, unsigned i)
{
    if (e->kind == TRACE_ODDITY && i > 0 && e->arg[0] < N_ODDITIES)
        return i == 1 ? oddities[e->arg[0]].a : oddities[e->arg[0]].b;
    return trace_kinds[e->kind].arg[i];
}

/* The instruction of an INSN in words; its bytes if not all were kept; "" if none were. */
static void insn_text(const struct trace_text *x, const struct trace_event *e, char *buf, size_t n)
{
    struct insn_event i;
    struct insn in;
    insn_event_unpack(e, &i);
    buf[0] = '\0';
    if (i.len && i.len <= INSN_EVENT_BYTES && i.bits) {
        disasm(i.bytes, i.len, i.bits, trace_ip(e), trace_cs_base(e), x ? x->symbols : NULL, &in);
        append(buf, n, "%s", in.text);
    } else if (i.len) {
        for (unsigned k = 0; k < INSN_EVENT_BYTES && k < i.len; k++)
            append(buf, n, "%02x ", i.bytes[k]);
        append(buf, n, "... (%u bytes)", i.len);
    }
}

/* "mov eax, 0x05; rax 0x5 rflags 0x246", "nop; rflags 0x246". */
static void append_insn(const struct trace_text *x, const struct trace_event *e, char *buf,
                        size_t n)
{
    struct insn_event i;
    insn_event_unpack(e, &i);
    insn_text(x, e, buf, n);
    append(buf, n, "%s", buf[0] ? "; " : "");
    if (i.changed < N_GPRS)
        append(buf, n, "%s 0x%" PRIx64 " ", gpr_names[i.changed], i.value);
    append(buf, n, "rflags 0x%" PRIx64, i.rflags);
}

char *trace_text_args(const struct trace_text *x, const struct trace_event *e, char *buf, size_t n)
{
    if (!n)
        return buf;
    buf[0] = '\0';
    if (e->kind >= N_TRACE_KINDS) {
        append(buf, n,
               "0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " (a kind this program does not know)",
               e->arg[0], e->arg[1], e->arg[2]);
        return buf;
    }
    if (e->kind == TRACE_INSN) {
        append_insn(x, e, buf, n);
        return buf;
    }
    if (e->kind == TRACE_STUCK) {
        struct stuck_report r = { (enum stuck_how)e->arg[0], e->arg[1], trace_linear(e),
                                  e->arg[2] };
        return stuck_text(&r, buf, n);
    }
    if (e->kind == TRACE_EXIT) {
        struct vmexit exit;
        exit_unpack((unsigned)e->arg[0], e->arg[1], e->arg[2], &exit);
        return exit_describe(&exit, buf, n);
    }
    for (unsigned i = 0; i < 3; i++) {
        const char *arg = arg_name(e, i);
        if (!arg[0])
            continue;
        append(buf, n, "%s%s ", buf[0] ? " " : "", arg);
        append_value(x, arg, e->arg[i], buf, n);
    }
    return buf;
}

const char *trace_text_kind(const struct trace_event *e)
{
    return e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].name : "?";
}

/*
 * Lines
 */

void trace_text_head(FILE *out)
{
    fprintf(out, "%10s %14s %12s %8s  %-4s %-12s %s\n", "seq", "virtual s", "place", "because",
            "by", "kind", "what");
}

void trace_text_line(const struct trace_text *x, const struct trace_event *e, FILE *out)
{
    char args[300], where[240] = "", cause[24] = "", place[PLACE_MAX];
    trace_text_args(x, e, args, sizeof args);
    if (x && x->symbols)
        symbols_format(x->symbols, trace_linear(e), where, sizeof where);
    if (e->cause_back)
        snprintf(cause, sizeof cause, "%" PRIu64, e->seq - e->cause_back);
    fprintf(out,
            "%10" PRIu64 " %4" PRIu64 ".%09" PRIu64 " %12s %8s  %-4s %-12s %s%s%s%s\n",
            e->seq, e->vtime_ns / 1000000000, e->vtime_ns % 1000000000,
            trace_place_text(e, place, sizeof place), cause, trace_layer_name(e->kind),
            trace_text_kind(e), args,
            where[0] ? "  <" : "", where, where[0] ? ">" : "");
}

/* A string for JSON.  Names of symbols may have letters of any language, in UTF-8, as JSON's texts
 * are; what is none becomes the "replacement character".  [RFC 8259 "Strings"] */
static void json_string(FILE *out, const char *key, const char *text)
{
    fprintf(out, ",\"%s\":\"", key);
    for (size_t n; *text; text += n ? n : 1) {
        n = utf8_length(text);
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if (utf8_is_shown(text, n))
            fwrite(text, 1, n, out);
        else
            fputs("\\ufffd", out);
    }
    fputc('"', out);
}

/* The three arguments as members of a JSON object. */
static void json_args(const struct trace_text *x, const struct trace_event *e, FILE *out)
{
    for (unsigned i = 0; i < 3; i++) {
        const char *arg = arg_name(e, i);
        if (!arg[0])
            continue;
        enum look look = trace_field_look(arg);
        const char *word = trace_field_word(x, look, e->arg[i]);
        if (strcmp(arg, "rip") == 0)        /* not to be two members of one name */
            arg = "to";
        if (word && look == YES_NO)
            fprintf(out, ",\"%s\":%s", arg, e->arg[i] ? "true" : "false");
        else if (word)
            json_string(out, arg, word);
        else if (look == DEC)
            fprintf(out, ",\"%s\":%" PRIu64, arg, e->arg[i]);
        else
            fprintf(out, ",\"%s\":\"0x%" PRIx64 "\"", arg, e->arg[i]);
    }
}

void trace_text_json(const struct trace_text *x, const struct trace_event *e, FILE *out)
{
    char text[300];
    fprintf(out, "{\"seq\":%" PRIu64 ",\"vtime_ns\":%" PRIu64 ",\"icount\":%" PRIu64
            ",\"rip\":\"0x%" PRIx64 "\",\"cs\":\"0x%x\",\"vcpu\":%u",
            e->seq, e->vtime_ns, e->icount, trace_linear(e), e->cs, e->who.vcpu);
    if (e->who.segmented)
        json_string(out, "place", trace_place_text(e, text, sizeof text));
    json_string(out, "engine_name", trace_text_engine(x, e->who.engine));
    json_string(out, "layer", trace_layer_name(e->kind));
    json_string(out, "kind", trace_text_kind(e));
    if (e->cause_back)
        fprintf(out, ",\"cause\":%" PRIu64, e->seq - e->cause_back);
    if (e->kind == TRACE_INSN) {
        struct trace_event plain = insn_event_plain(e);
        json_args(x, &plain, out);
        insn_text(x, e, text, sizeof text);
        json_string(out, "insn", text);
    } else if (e->kind < N_TRACE_KINDS) {
        json_args(x, e, out);
    }
    if (e->kind == TRACE_EXIT || e->kind == TRACE_STUCK || e->kind >= N_TRACE_KINDS)
        json_string(out, "text", trace_text_args(x, e, text, sizeof text));
    if (x && x->symbols && symbols_format(x->symbols, trace_linear(e), text, sizeof text)[0])
        json_string(out, "symbol", text);
    fputs("}\n", out);
}

void trace_text_recent(const struct trace *t, size_t n, FILE *out)
{
    if (!t || !t->ring->head)
        return;
    struct trace_text x = { .engine_name = trace_text_listed_engine,
                            .engine_arg = t->engine_names };
    const struct trace_ring *r = t->ring;
    uint64_t have = r->head < r->size ? r->head : r->size;
    if (n > have)
        n = (size_t)have;
    trace_text_head(out);
    for (uint64_t seq = r->head - n + 1; seq <= r->head; seq++)
        trace_text_line(&x, &r->event[seq & (r->size - 1)], out);
}

void trace_text_kinds_markdown(FILE *out)
{
    fputs("| kind | layer | arguments | what it says |\n| --- | --- | --- | --- |\n", out);
    for (unsigned k = 0; k < N_TRACE_KINDS; k++) {
        const struct trace_kind_info *i = &trace_kinds[k];
        fprintf(out, "| `%s` | %s | %s%s%s%s%s | %s |\n", i->name, layer_names[i->layer], i->arg[0],
                i->arg[1][0] ? ", " : "", i->arg[1], i->arg[2][0] ? ", " : "", i->arg[2], i->about);
    }
}
