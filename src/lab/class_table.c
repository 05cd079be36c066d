/*
 * lab/class_table.c -- CSV and HTML of a class.  Names of submissions come from file names, so
 * they are escaped in both.
 */
#include "lab/class_table.h"

#include <cjson/cJSON.h>
#include <string.h>

bool class_row_read(struct class_row *row, const struct lab_spec *spec, const char *json)
{
    cJSON *root = cJSON_Parse(json), *test;
    const cJSON *tests = cJSON_GetObjectItemCaseSensitive(root, "tests");
    const cJSON *score = cJSON_GetObjectItemCaseSensitive(root, "score");
    unsigned found = 0;
    cJSON_ArrayForEach(test, tests) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(test, "name");
        const cJSON *points = cJSON_GetObjectItemCaseSensitive(test, "score");
        for (unsigned r = 0; r < spec->n_rules; r++)
            if (cJSON_IsString(name) && cJSON_IsNumber(points) &&
                strcmp(name->valuestring, spec->rule[r].name) == 0) {
                row->of_rule[r] = points->valuedouble;
                found++;
            }
    }
    row->graded = cJSON_IsNumber(score) && found == spec->n_rules;
    row->points = row->graded ? score->valuedouble : 0;
    cJSON_Delete(root);
    return row->graded;
}

/* [RFC 4180]  A spreadsheet takes a cell that begins with one of four signs for a formula, so such
 * a name gets an apostrophe. */
static void csv_field(FILE *out, const char *text)
{
    putc('"', out);
    if (*text && strchr("=+-@", *text))
        putc('\'', out);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

void class_table_csv(const struct lab_spec *spec, const struct class_row *rows, size_t n,
                     FILE *out)
{
    fputs("submission,points", out);
    for (unsigned r = 0; r < spec->n_rules; r++)
        fprintf(out, ",%s", spec->rule[r].name);
    fputs(",note\r\n", out);
    for (size_t i = 0; i < n; i++) {
        csv_field(out, rows[i].name);
        fprintf(out, ",%g", rows[i].points);
        for (unsigned r = 0; r < spec->n_rules; r++)
            fprintf(out, ",%g", rows[i].of_rule[r]);
        putc(',', out);
        csv_field(out, rows[i].note);
        fputs("\r\n", out);
    }
}

static void html_text(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default:  putc(*text, out);
        }
}

static const char head[] =
    "<!doctype html>\n<meta charset=utf-8><meta name=viewport content='width=device-width'>\n"
    "<style>body{font:15px/1.5 sans-serif;margin:2em auto;max-width:75em;padding:0 1em}\n"
    "div{overflow-x:auto}table{border-collapse:collapse}th,td{padding:.2em .6em;text-align:right}\n"
    "th:first-child,td:first-child{text-align:left}tr:nth-child(even){background:#8881}\n"
    ".none{color:#c33}.some{color:#a60}@media(prefers-color-scheme:dark){body{background:#181818;\n"
    "color:#ddd}}</style>\n";

static void html_rows(const struct lab_spec *spec, const struct class_row *rows, size_t n,
                      FILE *out)
{
    fputs("<div><table><tr><th>submission<th>points", out);
    for (unsigned r = 0; r < spec->n_rules; r++)
        fprintf(out, "<th>%s<br>of %u", spec->rule[r].name, spec->rule[r].points);
    for (size_t i = 0; i < n; i++) {
        fputs("\n<tr><td>", out);
        html_text(out, rows[i].name);
        fprintf(out, "<td>%.4g", rows[i].points);
        for (unsigned r = 0; rows[i].graded && r < spec->n_rules; r++)
            fprintf(out, "<td class=%s>%.3g", rows[i].of_rule[r] <= 0 ? "none"
                    : rows[i].of_rule[r] < spec->rule[r].points ? "some" : "all",
                    rows[i].of_rule[r]);
        if (!rows[i].graded) {
            fprintf(out, "<td class=none colspan=%u>", spec->n_rules);
            html_text(out, rows[i].note);
        }
    }
    fputs("\n</table></div>\n", out);
}

static void html_missed(const struct lab_spec *spec, const struct class_row *rows, size_t n,
                        FILE *out)
{
    fputs("<h2>What was missed</h2>\n<div><table><tr><th>rule<th>by how many<th>what it says", out);
    for (unsigned r = 0; r < spec->n_rules; r++) {
        size_t missed = 0;
        for (size_t i = 0; i < n; i++)
            missed += rows[i].graded && rows[i].of_rule[r] < spec->rule[r].points;
        fprintf(out, "\n<tr><td>%s<td>%zu<td style='text-align:left'>", spec->rule[r].name, missed);
        html_text(out, spec->rule[r].say ? spec->rule[r].say : "");
    }
    fputs("\n</table></div>\n", out);
}

static void html_similar(const struct class_row *rows, size_t n, FILE *out)
{
    bool any = false;
    fputs("<h2>Much alike</h2>\n<p>Shared parts of what is not in the starter, whatever the names "
          "and the layout. A reason to read both, not a verdict.\n<ul>", out);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            double shared = fingerprints_shared(&rows[i].prints, &rows[j].prints);
            if (shared < SIMILAR)
                continue;
            any = true;
            fputs("\n<li>", out);
            html_text(out, rows[i].name);
            fputs(" and ", out);
            html_text(out, rows[j].name);
            fprintf(out, ": %.0f %%", shared * 100);
        }
    fputs(any ? "\n</ul>\n" : "\n<li>none</ul>\n", out);
}

void class_table_html(const struct lab_spec *spec, const struct class_row *rows, size_t n,
                      FILE *out)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += rows[i].points;
    fputs(head, out);
    fprintf(out, "<title>Lab %s</title><h1>Lab %s: ", spec->id, spec->id);
    html_text(out, spec->title);
    fprintf(out, "</h1>\n<p>%zu submissions, %.3g of %u points in the mean.\n", n,
            n ? sum / (double)n : 0, lab_spec_points(spec));
    html_rows(spec, rows, n, out);
    html_missed(spec, rows, n, out);
    html_similar(rows, n, out);
}
