/*
 * debugger/report/page.c -- the style of the page, and its smallest pieces.
 *
 * The page has no scripts, so what a reader can do with it is what browsers do by themselves:
 * hover over a figure's pieces (each has a <title>), follow the list of sections with Tab and
 * Enter, open tables (<details>), zoom, print.  Colours of the page follow the reader's choice of a
 * light or dark screen; those of exits are always the same (palette.h).
 */
#include "debugger/report/page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n"
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>";

static const char style[] =
    "</title>\n<style>\n"
    ":root{--page:#fff;--ink:#1d2127;--faint:#5b6370;--line:#d4d8de;--panel:#f4f5f7;"
    "--link:#0b5cad}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#15181d;--ink:#e3e6eb;--faint:#9aa3b0;"
    "--line:#3a414b;--panel:#20252c;--link:#7cb9e8}}\n"
    "*{box-sizing:border-box}\n"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:120em;margin:0 auto;padding:1em;"
    "color:var(--ink);background:var(--page);overflow-wrap:anywhere}\n"
    "h1{font-size:1.5em;margin:.3em 0}h2{font-size:1.15em;margin:1.6em 0 .5em;"
    "border-bottom:1px solid var(--line)}\n"
    "h3{font-size:1em;margin:.3em 0}a{color:var(--link)}nav a{margin-right:1em;"
    "display:inline-block}\n"
    ":focus-visible{outline:3px solid var(--link);outline-offset:2px}\n"
    ".runs{display:grid;gap:0 2em;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,34em),1fr))}\n"
    ".runs div{min-width:0}.wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;max-width:100%}td,th{padding:.1em .7em .1em 0;"
    "text-align:right;border-bottom:1px solid var(--line);vertical-align:top}\n"
    "td{white-space:nowrap}td:first-child,th:first-child,.say{text-align:left}"
    "td:first-child,td.say{white-space:normal}\n"
    "pre{background:var(--panel);padding:.8em;overflow-x:auto;white-space:pre-wrap;margin:.4em 0}\n"
    ".end{border-left:5px solid var(--link);padding:.2em .8em;background:var(--panel)}\n"
    ".bad{border-color:#c2185b}.note{color:var(--faint);margin:.3em 0}\n"
    ".figure{display:grid;grid-template-columns:6em minmax(0,1fr);gap:0 .6em}\n"
    ".left,.below{color:var(--faint);font-size:.8em;display:flex;justify-content:space-between}\n"
    ".left{flex-direction:column;text-align:right}.below{grid-column:2}\n"
    ".figure svg{width:100%;background:var(--panel);display:block}.figure g:hover{opacity:.6}\n"
    ".bar{display:block;width:100%;min-width:3em;height:.8em;margin-top:.35em}"
    ".barcell{width:30%}\n"
    ".key{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 0;vertical-align:-.05em}\n"
    ".legend span{display:inline-block;margin-right:1em}\n"
    "@media print{nav{display:none}}\n</style></head><body>\n";

void page_begin(FILE *out, const char *title)
{
    fputs(head, out);
    put_text(out, title);
    fputs(style, out);
}

void page_end(FILE *out)
{
    fputs("</body></html>\n", out);
}

void put_text(FILE *out, const char *s)
{
    for (size_t n; *s; s += n ? n : 1) {
        n = utf8_length(s);
        switch (*s) {
        case '&':  fputs("&amp;", out); break;
        case '<':  fputs("&lt;", out); break;
        case '>':  fputs("&gt;", out); break;
        case '"':  fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        case '\n': fputc('\n', out); break;
        default:
            if (utf8_is_shown(s, n))
                fwrite(s, 1, n, out);
            else
                fputc('?', out);
        }
    }
}

/* Within single quotes everything is literal but the quote itself, which is written as '\''. */
void put_word(FILE *out, const char *s)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789/._+-";
    bool plain = s[0] && strspn(s, harmless) == strlen(s);
    if (plain) {
        fputs(s, out);
        return;
    }
    fputs("&#39;", out);
    for (const char *quote; (quote = strchr(s, '\'')) != NULL; s = quote + 1) {
        char *part = strndup(s, (size_t)(quote - s));
        put_text(out, part ? part : "?");
        free(part);
        fputs("&#39;\\&#39;&#39;", out);
    }
    put_text(out, s);
    fputs("&#39;", out);
}

void put_time(FILE *out, uint64_t ns)
{
    static const struct { double unit; const char *name; } units[] = {
        { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "µs" }, { 1, "ns" },
    };
    size_t i = 0;
    while (i < NELEM(units) - 1 && (double)ns < units[i].unit)
        i++;
    fprintf(out, "%.4g %s", (double)ns / units[i].unit, units[i].name);
}

void put_size(FILE *out, uint64_t bytes)
{
    static const char units[] = "KMG";
    int unit = -1;
    while (bytes && bytes % 1024 == 0 && units[unit + 1]) {
        bytes /= 1024;
        unit++;
    }
    fprintf(out, "%" PRIu64, bytes);
    if (unit >= 0)
        fputc(units[unit], out);
}

void begin_figure(FILE *out, unsigned columns, unsigned rows, unsigned height_px, const char *what,
                  const char *top, const char *bottom)
{
    fputs("<div class=\"figure\"><div class=\"left\"><span>", out);
    put_text(out, top);
    fputs("</span><span>", out);
    put_text(out, bottom);
    fprintf(out, "</span></div>\n<svg viewBox=\"0 0 %u %u\" preserveAspectRatio=\"none\" "
                 "style=\"height:%upx\" role=\"img\" aria-label=\"%s\">\n",
            columns, rows, height_px, what);
}

/* Five times along the bottom. */
void end_figure(FILE *out, uint64_t first_ns, uint64_t last_ns)
{
    fputs("\n</svg>\n<div class=\"below\">", out);
    for (unsigned i = 0; i <= 4; i++) {
        fputs("<span>", out);
        put_time(out, first_ns + (last_ns - first_ns) / 4 * i);
        fputs("</span>", out);
    }
    fputs("</div></div>\n", out);
}

void put_rect(FILE *out, double x, double y, double w, double h, const char *fill, double opacity)
{
    fprintf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"", x, y, w,
            h, fill);
    if (opacity < 1)
        fprintf(out, " fill-opacity=\"%.2f\"", opacity);
    fputs("/>", out);
}
