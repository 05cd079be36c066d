/*
 * debugger/tui/tui.h -- the trace on a terminal: what happened, why, how often.
 *
 * The screen is a stack of panes, and one event of the trace is *selected*.  Every
 * pane shows its own side of that event: the stream the lines around it, `why` its
 * causes, `guest` the CPU, and so on.  Keys and clicks change which event is selected
 * (tui_select()), and that is how one pane moves all others.
 *
 *     the user -- keys --> key.c, prompt.c, command.c --+
 *                                                       v
 *     the VMM -- events --> store (the trace) --> struct tui: the selected event
 *             <- requests -- live.c                     |
 *                                                       v
 *                                panes: draw() into the areas that layout.c gives them
 *                                                       |
 *                                                       v
 *                                          draw.h, term.c: ncurses
 *
 * The same screens serve a *recording* (a trace file; nothing can run) and a *live*
 * guest (a VMM at the other end of a link).  t->link tells which: NULL is a recording.
 *
 * This header is for tui/ itself; the rest of the program needs only the first part.
 * All of it runs in one thread, in the debugger's process.
 *
 * Begin reading with tui_run() in tui.c, then tui/key.c (what a key does),
 * tui/layout.c (where panes are), pane.h (what one is), and any pane, say why.c.
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

/* What is to be shown.  The caller owns everything here and keeps it until tui_run()
 * has returned. */
struct tui_options {
    struct tui_term_options term;
    const char *name;           /* of the trace or guest file, for the top line        */
    const char *layout;         /* "lecture", "lab", "debug"; NULL: the first           */
    const char *filter;         /* the filter to begin with, as in filter.h; NULL: none */
    struct store *store;        /* the trace; never NULL                                */
    struct link *link;          /* NULL: a recording, nothing can run                   */
    const char *elf_path;       /* the guest's file; NULL: not known                    */
    const struct symbols *symbols;  /* of the guest; may be NULL                        */
    struct debuginfo *info;     /* the guest's, for the console; NULL: none             */
    const char *(*port_name)(uint16_t port);    /* NULL where no device is; may be NULL itself */
};

/* Take the terminal over, and show all this until the user quits.  Returns the exit status
 * for the process: 0, 125 if the TUI could not begin (the reason is on stderr), or
 * 128 + n if signal n ended it. */
int tui_run(const struct tui_options *o);

/* The table of keys, as Markdown for doc/tui.md. */
void tui_print_keys(FILE *out);

/* Is there a layout of this name?  For checking the command line before tui_run(). */
bool tui_layout_exists(const char *name);

/*
 * For the parts of the TUI
 */

#define TUI_SLOTS      10       /* panes on the screen at once, at most */
#define TUI_BOOKMARKS  256
#define TUI_BACK       64       /* jumps that Esc can undo */
#define TUI_TEXT       256      /* bytes of a typed line, with its end */

/* A place for a pane: top left corner (y0, x0), bottom right (y1, x1), in 24ths of the
 * screen; pane: an enum pane_id. */
struct slot { uint8_t pane, y0, x0, y1, x1; };

/* What is being typed in the last line. */
enum prompt_kind { PROMPT_NONE, PROMPT_SEARCH, PROMPT_FILTER, PROMPT_COMMAND, PROMPT_UNTIL,
                   PROMPT_FIND, PROMPT_BREAK, N_PROMPTS };
struct prompt {
    enum prompt_kind kind;      /* PROMPT_NONE: no line is being typed                  */
    char     text[TUI_TEXT];
    size_t   len, at;           /* length of the text; where in it the caret stands     */
    uint64_t origin;            /* where the cursor was before a search                 */
    bool     wrong;             /* a filter is typed and does not parse, because of ... */
    struct filter_error error;  /* ... this                                             */

    /* Lines typed earlier, one list for each kind, oldest first; Up and Down recall them. */
    struct prompt_history { unsigned n; char text[16][TUI_TEXT]; } history[N_PROMPTS];
    unsigned recalled;          /* which line of the history is shown; n: none of them  */
};

/* A search for the next matching event.  It is done a little at a time, see search_work(). */
struct search {
    bool     active, backward;
    bool     wrapped;           /* it has come to one end and gone on from the other    */
    bool     by_text;           /* true: what the user typed behind /; false: the nearest
                                   event that the filter shows                          */
    uint64_t at;                /* index of the next event to look at                   */
    uint64_t looked_at;         /* calls of the store so far: more than 1, it takes long */
};

/* A guest that can run: what is kept between its stops.  All of it is 0 in a recording. */
struct live {
    /* Registers: as they are, at the latest stop, and at the stop before that. */
    struct cpu_state now, at_stop, before;
    bool     has_before;                /* there have been two stops                      */

    /* How many events the trace had at the latest stop and at the one before. */
    uint64_t events_at_stop, events_before;
    uint64_t stops;                     /* counts stops, so that a pane sees that one came */

    bool     going;                     /* set running, and its stop was not dealt with yet */
    bool     stepping;                  /* it was sent for a step, not until a breakpoint */
    bool     past;                      /* it was taken back: the trace has later events  */
    bool     deaf;                      /* the VMM did not answer in time.  It is not asked
                                           again before it stops, lest the screen hang    */
    bool     asked;                     /* whether to end the guest: the next q does      */

    /* Breakpoints, a copy of the VMM's list: use live_breaks(). */
    struct link_break *breaks;
    size_t   n_breaks, room_breaks;
    bool     breaks_known;              /* the copy is complete and up to date            */
    unsigned until;                     /* number of the breakpoint made for this run only */

    /* The monitor stepped beside its guest (step_monitor.c). */
    struct stepper *stepper;            /* NULL: the monitor is not watched               */
    bool     monitor_stands;            /* it is stopped in the handler of an exit        */
    uint64_t monitor_moves;             /* counts its steps, so that the pane sees one    */
};

/* The TUI: one of it, made by tui_run(), passed to everything. */
struct tui {
    const struct tui_options *o;
    struct link   *link;                /* NULL: a recording */
    struct store  *store;
    struct survey *survey;
    struct pane    pane[N_PANES];

    /* the selected event */
    uint64_t cursor;            /* its index in the store                               */
    bool     has_event;         /* false: the trace is empty, or damaged at this place  */
    struct trace_event event;   /* a copy of it                                         */
    bool     follow;            /* select the last event as the trace grows             */
    uint64_t back[TUI_BACK];    /* where jumps came from, a stack: Esc goes back        */
    unsigned n_back;
    struct { uint64_t index; } bookmark[TUI_BOOKMARKS];     /* in ascending order       */
    unsigned n_bookmarks;

    /* what is shown, what is searched for, what is typed */
    struct filter *filter;      /* never NULL: without one, it lets everything pass     */
    char     filter_text[TUI_TEXT];
    char     search_text[TUI_TEXT];     /* "": nothing; else marked in the stream       */
    struct search search;
    struct prompt prompt;

    /* the screen */
    int      layout, size;      /* row in the table of layouts; size of terminal        */
    struct slot slot[TUI_SLOTS];
    unsigned n_slots, focus;    /* focus: the slot whose pane gets the keys             */
    bool     maximised;         /* the focused pane has all of the screen               */
    bool     help;              /* the help covers the panes                            */
    bool     mouse;             /* we take the mouse; else the terminal selects text    */
    bool     laid_out;          /* the slots are filled                                 */
    char    *page;              /* a long answer of the console, covers the panes; NULL: none */
    long     help_top;          /* first line shown of help or page                     */
    char     message[200];      /* in the last line until the next key; "": none        */
    enum role message_role;

    /* a guest that runs */
    struct live live;
    struct pane *typing;        /* keys go to the guest through this pane; NULL: no     */
    uint64_t walk_at, memory_at;        /* linear addresses for the panes paging and memory */
    bool     has_walk_at;       /* false: paging takes the selected event's address     */

    /* Two consoles, made when first needed: one returns at once when the guest is set
     * going, the other waits for it, as steps by source line want. */
    struct console *console, *stepping;

    /* the loop */
    bool     dirty;             /* what the screen shows is out of date                 */
    bool     quit;
    int      status;            /* what tui_run() returns                               */
    uint64_t n_seen;            /* events there were when somebody last looked for new ones */
    uint64_t looked_ns;         /* host's time when a growing file was last looked at, ... */
    uint64_t key_ns, shown_ns;  /* ... a key came, the screen was drawn                 */
};

/*
 * tui/tui.c: the selected event, messages
 */

/* Select event `index` and tell the panes.  jump: remember where we were, for Esc. */
void tui_select(struct tui *t, uint64_t index, bool jump);

/* A message for the last line; it stays until the next key. */
void tui_say(struct tui *t, enum role role, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Show only events that `text` is true of ("": all), and select the nearest of them.  If
 * it does not parse, a message says why and the old filter stays. */
void tui_set_filter(struct tui *t, const char *text);

uint64_t tui_n_events(const struct tui *t);

/*
 * tui/events.c: an event as text.  Each fills buf and returns it.
 */

/* An event's arguments, but for a RESUME's host_ns where no time was measured. */
char *tui_event_args(const struct tui *t, const struct trace_event *e, char *buf, size_t n);

/* Kind, arguments and <symbol>, as the stream shows them: what a search compares. */
char *tui_event_text(const struct tui *t, const struct trace_event *e, char *buf, size_t n);

/* The colour of an event: by its kind, else by the layer that logged it. */
enum role tui_role_of(const struct trace_event *e);

/* Does a person see this event as a beginning?  An exit and a timer have causes of their
 * own (an interrupt that made the guest run its handler, the write that set the timer),
 * yet the tree of consequences that is drawn begins with them. */
bool tui_begins_chain(const struct trace_event *e);

/*
 * tui/live.c: a guest that runs.  Unless it says otherwise, a function may be called
 * for a recording too, where it does nothing but say so in the last line.
 */

void live_begin(struct tui *t);                 /* once, before the loop                    */
/* Has the guest crashed, or ended otherwise than it wanted?  Then a page over the panes says what
 * happened first, at which instruction, what stood in the way and what to check; true. */
bool tui_show_crash(struct tui *t);

void live_poll(struct tui *t);                  /* take what has come from the VMM; only live */

/* How many ms the loop may sleep before it polls again; -1: until link_fd() is readable. */
int  live_wait_ms(const struct tui *t);
bool live_running(const struct tui *t);

/* Index of the first event that is new: since the guest was set going if it runs, else
 * since the stop before the latest one. */
uint64_t live_new_from(const struct tui *t);

/* Set the guest going.  how: enum link_run; n: instructions, exits or an event, as that
 * says.  If it cannot go, a message says why. */
void live_go(struct tui *t, int how, uint64_t n);
void live_to_event(struct tui *t);              /* to the selected event, back or on        */
void live_exit_back(struct tui *t);             /* to the exit before the latest one        */

/* Is there a guest that stands still, and no monitor stopped in a handler?  If not, a
 * message says why, and no step can be made. */
bool live_can_step(struct tui *t);
void live_run_or_pause(struct tui *t);
void live_interrupt(struct tui *t);             /* Ctrl-C: pause the guest                  */

/* Run until something, or stop there each time.  what: a place ("main", "0x7c00"), an exit
 * reason ("hlt"), "mark 2", "main if eax==3", or a filter; doc/tui.md has them all. */
void live_until(struct tui *t, const char *what);
void live_break(struct tui *t, const char *what);

/* All breakpoints, *n of them (NULL if there are none).  Only live.  The VMM is asked if the
 * list is out of date and it can answer.  The pointer is good until the next call. */
struct link_break;
const struct link_break *live_breaks(struct tui *t, size_t *n);
void live_breaks_changed(struct tui *t);        /* the list is out of date                  */

/* May the VMM be asked something that it must answer?  After asking, tell live_answered()
 * the result: a VMM that timed out once is left in peace until it stops. */
#define LIVE_ASK_NS 250000000           /* how often to ask while the guest runs */
bool live_may_ask(const struct tui *t);
void live_answered(struct tui *t, int err);

/* "RUNNING  12 exits ...", "stopped: breakpoint 1 ...", for the top line.  Only live. */
void live_state_text(struct tui *t, char *buf, size_t n);

/* From now on keys typed in pane p go to the guest, until Ctrl-].  arg is not used. */
void tui_begin_typing(struct tui *t, struct pane *p, int arg);

/* Send a key to the guest; to: enum link_input.  False: keys do not go there, it is ours. */
bool tui_type(struct pane *p, int key, int to);

/* What a symbol, a register of the live guest or a number is.  False: it is none of them. */
bool tui_place(const struct tui *t, const char *text, uint64_t *at);

/*
 * tui/step_monitor.c: the monitor stepped beside the guest
 */
struct source_place;
void beside_toggle(struct tui *t);              /* watch the monitor, or no longer          */
void beside_poll(struct tui *t);                /* has it stopped in a handler, or left it? */
void beside_end(struct tui *t);                 /* let go of it, as the TUI ends            */

/* Is the monitor stopped in the handler of an exit?  Then the step keys are for it. */
bool beside_stands(const struct tui *t);
void beside_go(struct tui *t, int how);         /* enum stepper_go                          */

/* Where it stands: level 0 is the innermost function, 1 its caller; false: none. */
bool beside_where(struct tui *t, unsigned level, struct source_place *p);
const char *beside_exit(const struct tui *t);   /* the exit that it answers; "" for none    */
char *beside_locals(struct tui *t);             /* to be freed; NULL: it does not stand     */
void beside_command(struct tui *t, const char *arg);    /* what stands behind `:monitor`    */

/*
 * tui/memory.c
 */

/* Find text or bytes in the guest's memory and show the place; "": what was last sought. */
void tui_find_memory(struct tui *t, const char *text);

/*
 * tui/search.c
 */

/* Begin to look for the next event, from index `from` on (inclusive), whose text contains
 * t->search_text; or for the nearest one that the filter shows. */
void search_text(struct tui *t, bool backward, uint64_t from);
void search_filter(struct tui *t, bool backward, uint64_t from);

/* Go on for about budget_ns; true: there is more to do.  The event found is selected. */
bool search_work(struct tui *t, uint64_t budget_ns);
void search_stop(struct tui *t);

/*
 * tui/prompt.c
 */
void prompt_open(struct tui *t, enum prompt_kind kind);
void prompt_key(struct tui *t, int key);        /* while t->prompt.kind is not PROMPT_NONE */

/* Draws the line, and says where on the terminal its caret belongs. */
void prompt_draw(struct tui *t, const struct area *line, int *cursor_y, int *cursor_x);

/*
 * tui/command.c
 */

/* Do what was typed behind `:`. */
void tui_command(struct tui *t, const char *text);

/* To another source line of the guest; into: also of a function that this line calls. */
void tui_step_line(struct tui *t, bool into);

/* Let the console run a line.  *answer: what it printed, to be freed; may be NULL. */
enum console_result tui_ask(struct tui *t, const char *line, char **answer);

/* Tab: lengthen text[n] by what its last word can become.  command: what to think of in
 * front of the text ("count " for a filter; "" if the text is the command).  True if
 * there was any word to choose from; several are listed in a message. */
bool tui_complete(struct tui *t, const char *command, char *text, size_t n);

/*
 * tui/key.c
 */
extern const struct key tui_keys[];             /* those that work everywhere; ends with code 0 */

/* Does the key exist in this session?  Some are for a live guest only, or a recording. */
bool tui_key_is_for(const struct tui *t, const struct key *k);
void tui_key(struct tui *t, int key);           /* a key was pressed, or the mouse          */

/*
 * tui/help.c
 */
void tui_draw_bar(struct tui *t, const struct area *line);  /* function keys, at the bottom */
void tui_draw_help(struct tui *t, const struct area *a);
void tui_draw_page(struct tui *t, const struct area *a);    /* t->page                      */

/*
 * tui/layout.c
 */
const char *tui_layout_name(unsigned i);        /* NULL: there are no more                  */
bool layout_choose(struct tui *t, const char *name);    /* false: there is none             */

/* Give every pane its area within `whole`, and let those that come into sight catch up. */
void layout_arrange(struct tui *t, const struct area *whole);
void layout_draw(struct tui *t);                /* all panes that have an area              */
void layout_focus(struct tui *t, int by);       /* 1: the next slot, -1: the one before     */
void layout_swap(struct tui *t, int by);        /* another pane into the focused slot       */
bool layout_show(struct tui *t, enum pane_id id);   /* focus it; put it here if it is nowhere */
void layout_beside(struct tui *t, enum pane_id id);  /* show it, in another slot than the
                                                        focused one                         */
bool layout_click(struct tui *t, int y, int x); /* focus what is there; false: nothing is   */
struct pane *tui_focused(struct tui *t);

#endif
