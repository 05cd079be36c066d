/*
 * debugger/tui/tui.h -- the trace on a terminal: what happened, why, how often.
 *
 * Begin reading with tui_run() in tui.c, then tui/key.c (what a key does),
 * tui/layout.c (where panes are), pane.h (what one is), and any tui_PANE.c.
 */
#ifndef DEBUGGER_TUI_TUI_H
#define DEBUGGER_TUI_TUI_H

#include "cpu/state.h"
#include "debugger/console/command.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"
#include "debugger/tui/pane.h"
#include "debugger/tui/term.h"

struct console;
struct debuginfo;
struct link;
struct stepper;
struct survey;

struct tui_options {
    struct tui_term_options term;
    const char *name;           /* of the file, for the title               */
    const char *layout;         /* NULL: the first                          */
    const char *filter;         /* NULL: none                               */
    struct store *store;
    struct link *link;          /* NULL: a recording, nothing can run       */
    const char *elf_path;       /* the guest's file; NULL: not known        */
    const struct symbols *symbols;
    struct debuginfo *info;     /* the guest's; NULL: none                  */
    const char *(*port_name)(uint16_t port);
};

/* Until the user quits: an exit status.  Says on stderr what is wrong. */
int tui_run(const struct tui_options *o);

/* The table of keys, as Markdown for doc/tui.md. */
void tui_print_keys(FILE *out);
bool tui_layout_exists(const char *name);

/*
 * For the parts of the TUI
 */

#define TUI_SLOTS      10
#define TUI_BOOKMARKS  256
#define TUI_BACK       64
#define TUI_TEXT       256

struct slot { uint8_t pane, y0, x0, y1, x1; };      /* in 24ths of the screen */

/* What is being typed in the last line. */
enum prompt_kind { PROMPT_NONE, PROMPT_SEARCH, PROMPT_FILTER, PROMPT_COMMAND, PROMPT_UNTIL,
                   PROMPT_FIND,
                   PROMPT_BREAK, N_PROMPTS };
struct prompt {
    enum prompt_kind kind;
    char     text[TUI_TEXT];
    size_t   len, at;           /* the caret */
    uint64_t origin;            /* where the cursor was before a search       */
    bool     wrong;             /* the filter does not parse: */
    struct filter_error error;
    struct prompt_history { unsigned n; char text[16][TUI_TEXT]; } history[N_PROMPTS];
    unsigned recalled;
};

/* Looking for a matching event, a little at a time. */
struct search {
    bool     active, backward, wrapped;
    bool     by_text;           /* else: the next one that the filter shows */
    bool     quiet;             /* do not say so if there is none */
    uint64_t at, looked_at;
};

/* A guest that lives: what is kept between its stops. */
struct live {
    struct cpu_state now;               /* registers                                      */
    struct cpu_state at_stop, before;   /* ... at the last stop and the one before        */
    bool     has_before, going;         /* going: and nobody has seen it stop yet         */
    uint64_t events_at_stop, events_before;     /* how many events there were at these     */
    struct link_break *breaks;          /* as they were when last asked for: live_breaks() */
    size_t   n_breaks, room_breaks;
    bool     breaks_known;
    struct stepper *stepper;            /* of the monitor; NULL: it is not watched        */
    bool     monitor_stands;            /* in a handler                                   */
    uint64_t monitor_moves;             /* counts its steps                               */
    unsigned until;                     /* the breakpoint that is there for this run only */
    uint64_t stops;                     /* counts them: panes compare                     */
    bool     past;                      /* it stands where it has been before             */
    bool     stepping;                  /* it goes, and not until something happens       */
    bool     asked;                     /* whether to end it: q again does                */
    /* it did not answer while it ran: not asked again before it stops */
    bool     deaf;
};

struct tui {
    const struct tui_options *o;
    struct link   *link;                /* NULL: a recording */
    struct store  *store;
    struct survey *survey;
    struct pane    pane[N_PANES];

    /* the selected event */
    uint64_t cursor;            /* its index */
    bool     has_event;
    struct trace_event event;
    bool     follow;            /* the end of a growing trace */
    uint64_t back[TUI_BACK];    /* where jumps came from */
    unsigned n_back;
    struct { uint64_t index; } bookmark[TUI_BOOKMARKS];
    unsigned n_bookmarks;

    struct filter *filter;      /* never NULL */
    char     filter_text[TUI_TEXT];
    char     search_text[TUI_TEXT];
    struct search search;
    struct prompt prompt;

    /* the screen */
    int      layout, size;
    struct slot slot[TUI_SLOTS];
    unsigned n_slots, focus;    /* focus: a slot */
    bool     maximised, help, mouse, laid_out;
    long     help_top;
    char     message[200];
    enum role message_role;

    struct live live;
    struct pane *typing;        /* keys go to the guest through this pane; NULL: no */
    uint64_t walk_at, memory_at;        /* what the panes paging and memory were asked for */
    bool     has_walk_at;
    char    *page;              /* what a command of the console has answered; NULL: nothing */
    struct console *console, *stepping; /* stepping: for steps by source line */
    bool     dirty, quit;
    uint64_t n_seen;            /* events there were when somebody last looked for new ones */
    uint64_t looked_ns;         /* when a growing file was last looked at, ... */
    uint64_t key_ns, shown_ns;  /* ... a key came, the screen was drawn        */
    int      status;
};

/* Another event; `jump`: Esc leads back. */
void tui_select(struct tui *t, uint64_t index, bool jump);
void tui_say(struct tui *t, enum role role, const char *fmt,
             ...) __attribute__((format(printf, 3, 4)));
void tui_set_filter(struct tui *t, const char *text);
uint64_t tui_n_events(const struct tui *t);

/* An event's arguments, without what no host's clock has measured. */
char *tui_event_args(const struct tui *t, const struct trace_event *e, char *buf, size_t n);
/* An event's text as the stream shows it, for search. */
char *tui_event_text(const struct tui *t, const struct trace_event *e, char *buf, size_t n);
enum role tui_role_of(const struct trace_event *e);

/* What answers others, but is a beginning for people: an exit, a timer. */
bool tui_begins_chain(const struct trace_event *e);

/* tui/live.c */
void live_begin(struct tui *t);
void live_poll(struct tui *t);                  /* take what has come from the VMM */
/* how soon to poll again; -1: when its descriptor says so */
int  live_wait_ms(const struct tui *t);
bool live_running(const struct tui *t);
uint64_t live_new_from(const struct tui *t);    /* index of the first event since the last stop */
void live_go(struct tui *t, int how, uint64_t n);       /* enum link_run */
/* take the guest to the selected event, back or on */
void live_to_event(struct tui *t);
void live_exit_back(struct tui *t);
/* it stands, and nobody holds the monitor; else says why not */
bool live_can_step(struct tui *t);
void live_run_or_pause(struct tui *t);
void live_until(struct tui *t, const char *what);       /* a place, an event; doc/tui.md */
void live_break(struct tui *t, const char *what);
void live_interrupt(struct tui *t);             /* Ctrl-C */
struct link_break;
const struct link_break *live_breaks(struct tui *t, size_t *n);        /* NULL if there are none */
void live_breaks_changed(struct tui *t);        /* ask anew */
/* May the VMM be asked something?  And what it was; one that hangs shall not hang us. */
#define LIVE_ASK_NS 250000000           /* how often while the guest runs */
bool live_may_ask(const struct tui *t);
void live_answered(struct tui *t, int err);
void live_state_text(struct tui *t, char *buf, size_t n);

/* tui/beside.c: the monitor stepped beside the guest */
struct source_place;
void beside_toggle(struct tui *t);              /* watch it, or not */
void beside_poll(struct tui *t);
/* in the handler of an exit: the step keys are for it */
bool beside_stands(const struct tui *t);
void beside_go(struct tui *t, int how);         /* enum stepper_go */
bool beside_where(struct tui *t, unsigned level, struct source_place *p);
const char *beside_exit(const struct tui *t);   /* which exit it answers */
char *beside_locals(struct tui *t);             /* to be freed; may be NULL */
void beside_command(struct tui *t, const char *arg);
void beside_end(struct tui *t);

void tui_begin_typing(struct tui *t, struct pane *p, int arg);
bool tui_type(struct pane *p, int key, int to);        /* enum link_input; false: not typing */

/* tui/memory.c */
void tui_find_memory(struct tui *t, const char *text);     /* "": the same again */

/* tui/search.c */
void search_text(struct tui *t, bool backward, uint64_t from);
void search_filter(struct tui *t, bool backward, uint64_t from);    /* the nearest shown */
bool search_work(struct tui *t, uint64_t budget_ns);
void search_stop(struct tui *t);

/* tui/prompt.c */
void prompt_open(struct tui *t, enum prompt_kind kind);
void prompt_key(struct tui *t, int key);
void prompt_draw(struct tui *t, const struct area *line, int *cursor_y, int *cursor_x);

/* tui/command.c: `:` */
void tui_command(struct tui *t, const char *text);
void tui_step_line(struct tui *t, bool into);   /* to another source line */
/* the console; answer: to be freed */
enum console_result tui_ask(struct tui *t, const char *line, char **answer);
/* a symbol, a register, a number */
bool tui_place(const struct tui *t, const char *text, uint64_t *at);
/* text behind that command */
bool tui_complete(struct tui *t, const char *command, char *text, size_t n);

/* tui/key.c */
extern const struct key tui_keys[];             /* those that work everywhere; ends with code 0 */
bool tui_key_is_for(const struct tui *t, const struct key *k);     /* live, recorded */
void tui_key(struct tui *t, int key);

/* tui/help.c */
void tui_draw_bar(struct tui *t, const struct area *line);
void tui_draw_help(struct tui *t, const struct area *a);
void tui_draw_page(struct tui *t, const struct area *a);

/* tui/layout.c */
const char *tui_layout_name(unsigned i);        /* NULL: there are no more */
bool layout_choose(struct tui *t, const char *name);
void layout_next(struct tui *t);
void layout_arrange(struct tui *t, const struct area *whole);
void layout_draw(struct tui *t);
void layout_focus(struct tui *t, int by);
void layout_swap(struct tui *t, int by);
bool layout_show(struct tui *t, enum pane_id id);   /* focus it; put it here if it is nowhere */
void layout_beside(struct tui *t, enum pane_id id);  /* somewhere but in the focused slot */
bool layout_click(struct tui *t, int y, int x);
struct pane *tui_focused(struct tui *t);

#endif
