/*
 * debugger/trace/summary.c -- can a block hold such an event?  Answered from the least and
 * greatest values in its header, from its Bloom filter, and from the table of its columns,
 * all without unpacking one.  A summary that is damaged rules nothing out.
 */
#include <string.h>

#include "debugger/trace/field.h"
#include "debugger/trace/file.h"
#include "debugger/trace/format.h"
#include "debugger/trace/index.h"

/* Have lo..hi and min..max a value in common? */
static bool overlap(uint64_t lo, uint64_t hi, uint64_t min, uint64_t max)
{
    return lo <= max && hi >= min;
}

/* Does the Bloom filter rule the values lo..hi out?  Only if the filter is there, has this
 * field, and is whole.  The checksum is computed last, because it is needed only where the
 * filter says no. */
static bool index_says_no(const struct trace_file *f, size_t i, const struct trace_field *field,
                          uint64_t lo, uint64_t hi)
{
    struct block_header h;
    const uint8_t *index = trace_file_content(f, i, &h);
    return trace_file_is_indexed(f, field) && h.index_bytes
        && !trace_index_may_hold(index, h.index_bytes, field, lo, hi)
        && trace_sum(TRACE_SUM_START, index, h.index_bytes) == h.index_sum;
}

/* A whole word of the event that is a column with its least and greatest value? */
static bool has_range(const struct trace_field_source *s)
{
    return s->is && s->word >= COLUMN_ARG0 && s->word <= COLUMN_ARG2
        && s->hi == 63 && s->lo == 0 && s->add == 0;
}

/* Can events of this kind have a value from lo to hi in that place?  KIND_DELTA columns
 * carry their least and greatest value where other columns have base and step (format.h). */
static bool may_be_in(const struct trace_field_source *s, const struct column_header *column,
                      uint64_t lo, uint64_t hi)
{
    return s->is && (!has_range(s) || overlap(lo, hi, column[s->word].base, column[s->word].step));
}

/* Do the columns say that none of them goes from lo to hi? */
static bool columns_say_no(const struct trace_file *f, size_t i, const struct trace_field *field,
                           uint64_t lo, uint64_t hi)
{
    const struct trace_block *b = trace_file_block(f, i);
    struct block_header h;
    struct column_header column[N_COLUMNS];
    size_t table = trace_columns_in(trace_file_version(f)) * sizeof column[0];
    const uint8_t *content = trace_file_content(f, i, &h);
    if (h.packed_bytes - h.index_bytes < table)
        return false;
    memcpy(column, content + h.index_bytes, table);
    if (column[COLUMN_ARG0].coding != KIND_DELTA || column[COLUMN_ARG1].coding != KIND_DELTA
        || column[COLUMN_ARG2].coding != KIND_DELTA)
        return false;
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        if (b->kinds & BIT(k) && may_be_in(&field->of_kind[k], column, lo, hi))
            return false;
    for (unsigned e = 0; e < N_EXITS && b->kinds & BIT(TRACE_EXIT); e++)
        if (may_be_in(&field->of_exit[e], column, lo, hi))
            return false;
    return trace_sum(TRACE_SUM_START, content + h.index_bytes, table) == h.table_sum;
}

bool trace_file_may_hold(const struct trace_file *f, size_t i, const struct trace_field *field,
                         uint64_t lo, uint64_t hi)
{
    const struct trace_block *b = trace_file_block(f, i);
    if (!(b->kinds & field->kinds))
        return false;
    switch (trace_field_role(field)) {
    case ROLE_SEQ:    return overlap(lo, hi, b->first_seq, b->last_seq);
    case ROLE_TIME:   return overlap(lo, hi, b->min_ns, b->max_ns);
    case ROLE_ICOUNT: return overlap(lo, hi, b->min_icount, b->max_icount);
    case ROLE_RIP:
        return overlap(lo, hi, b->min_rip, b->max_rip) && !index_says_no(f, i, field, lo, hi);
    case ROLE_IP: case ROLE_CAUSE:
        return true;
    case ROLE_NONE:
        return !(field->indexed && index_says_no(f, i, field, lo, hi))
            && !columns_say_no(f, i, field, lo, hi);
    }
    return true;
}
