"""vitrine.py -- gdb beside a guest of Vitrine and the monitor that answers it.

`vitrine gdb GUEST` starts gdb with printers.py and this file.  Inferior 1 is the guest, by
the remote protocol; inferior 2 is the monitor, the process that owns the guest's memory, CPU
and devices.

The monitor runs untraced until the user wants to see it at work.  After `vt-follow on`:

    1  the guest stops before an exit is answered (signal EXC_EMULATION)
    2  gdb attaches to the monitor and sets a breakpoint in the handler of that exit
    3  `monitor answer` lets the monitor go on; it stops in the handler, for the user
    4  `vt-guest`, or `finish` or `continue` in the monitor: the answer is given
    5  gdb detaches and steps the guest, which then stands behind the instruction

From 2 to 4 the guest stands before the instruction and can be looked at.  Only one of the
two runs at a time, because gdb cannot wait well for a remote target and a process at once.

In a script gdb waits in each command until what it has resumed stops.  At a terminal the
command returns earlier and the stop comes as an event.  Pair.resume() hides the difference:
it calls a function, `then`, when the stop has come.

Begin reading with Pair.enter() and Pair.leave().
"""
import os
import re

import gdb

GUEST, MONITOR = 1, 2
MARKER = 'vmm_guest_stopped'            # called by the monitor when the guest has stopped
HOOKED = 'stepi nexti step next continue finish until advance jump'.split()


def run(command):
    """Execute a gdb command and return what it prints, instead of showing it."""
    quiet = silence.begin()
    try:
        return gdb.execute(command, to_string=True)
    finally:
        if quiet:
            silence.end()


class Silence:
    """gdb tells of stops and of switching inferiors on the terminal, even if a script has asked
    for the command's output.  While this is on it does not."""

    def __init__(self):
        self.kept = False

    def begin(self):
        """Begin to be silent; True if it was not so already, and the caller must call end()."""
        begun, self.kept = not self.kept, True
        if begun:
            gdb.execute('set suppress-cli-notifications on')
        return begun

    def end(self):
        if self.kept:
            gdb.execute('set suppress-cli-notifications off')
        self.kept = False


silence = Silence()


def has_stopped():
    """Has gdb seen the selected thread stop?"""
    try:
        gdb.newest_frame()
        return True
    except gdb.error:
        return False


def ptrace_advice(error):
    """A sentence on what the user can do if the host does not let gdb trace the monitor."""
    try:
        scope = open('/proc/sys/kernel/yama/ptrace_scope').read().strip()
    except OSError:
        scope = None
    if 'already traced' in str(error):
        return 'gdb may not debug the monitor: another debugger does'
    advice = 'in a container, start it with --cap-add=SYS_PTRACE'
    if scope in ('2', '3'):
        advice = 'sudo sysctl kernel.yama.ptrace_scope=1'
    return ('gdb may not debug the monitor (%s): ptrace is forbidden here; %s. '
            'The guest can be debugged without.') % (str(error).strip(), advice)


class Pair:
    """Guest and monitor: which of them runs, and what is to be done when it stops."""

    def __init__(self):
        self.pid = None                 # of the monitor's process
        self.handlers = {}              # exit reason -> the handler's address there
        self.stops = []                 # breakpoints that this script has set in the monitor
        self.made_in = {}               # breakpoint number -> inferior in which it was made
        self.caller = None              # frame of the function that has called the handler
        self.reason = None              # of the exit that is being answered

        # What the user wants.
        self.following = False          # the guest is to stop before exits
        self.follow = None              # what `vt-follow` said while the monitor was held

        # Where the pair is.
        self.inside = False             # attached to the monitor, which is answering an exit
        self.at_exit = False            # the guest has stopped before an exit: attach next
        self.done = False               # the monitor has given its answer: back to the guest next
        self.finishing = False          # the user's `finish` leaves the handler

        # What is under way.
        self.then = None                # function to call when what was resumed has stopped
        self.in_command = False         # a command of the user that resumes; at a terminal it is
                                        # over as soon as that has begun
        self.busy = False               # this script is resuming, not the user

    # ---- where we are ----

    def selected(self):
        return gdb.selected_inferior().num

    def select(self, number):
        if self.selected() != number:
            run('inferior %d' % number)

    def in_guest(self, call):
        """Call a function with the guest selected, and then select again what was selected."""
        here = self.selected()
        frame = gdb.selected_frame() if here == MONITOR and self.inside else None
        self.select(GUEST)
        try:
            return call()
        finally:
            self.select(here)
            if frame is not None and frame.is_valid():
                frame.select()

    def tell(self, command):
        """Run a command of Vitrine's console and return what it prints."""
        return self.in_guest(lambda: run('monitor ' + command))

    def resume(self, command, then, aloud=False):
        """Execute a command that resumes an inferior, and call then() when it has stopped: at once
        in a script, where gdb has waited for that; at a terminal later, from late()."""
        if not aloud:
            silence.begin()
        self.busy, self.then = True, None
        try:
            gdb.execute(command) if aloud else run(command)
        except gdb.error:
            silence.end()
            raise
        finally:
            self.busy = False
        if has_stopped() or not gdb.selected_inferior().pid:
            silence.end()
            then()
        else:
            self.then = then

    # ---- the monitor's process ----

    def attach(self, then):
        """Attach to the monitor and call then()."""
        apart = self.addresses_of_guest()
        for breakpoint in apart:
            breakpoint.enabled = False

        def attached():
            self.keep_apart(apart)
            then()

        self.select(MONITOR)
        try:
            self.resume('attach %d' % self.pid, attached)
        except gdb.error as error:
            self.keep_apart(apart)
            self.select(GUEST)
            raise gdb.GdbError(ptrace_advice(error) if 'ptrace' in str(error) else str(error))

    def detach(self):
        for stop in self.stops:
            if stop.is_valid():
                stop.delete()
        self.stops = []
        if gdb.selected_inferior().pid:
            run('detach')
        self.select(GUEST)

    def find_handlers(self):
        """Read the monitor's own table of exit handlers (vm/exits.c)."""
        table = gdb.parse_and_eval('on_exit_reason')
        for field in gdb.lookup_type('enum exit_index').fields():
            if field.name.startswith('EXIT_IDX_'):
                self.handlers[field.name[len('EXIT_IDX_'):]] = int(table[field.enumval])

    def on_new_breakpoint(self, breakpoint):
        self.made_in[breakpoint.number] = self.selected()
        in_monitor = self.selected() == MONITOR and breakpoint.number > 0
        if in_monitor and not (self.inside or self.following):
            gdb.write('(the monitor stops there only while it answers an exit that is followed: '
                      '`vt-follow on`)\n')

    def addresses_of_guest(self):
        """The user's breakpoints on plain addresses in the guest.  When gdb attaches it would try
        to insert them in the monitor too, at the same addresses, and fail."""
        return [b for b in gdb.breakpoints()
                if b.enabled and (b.location or '').startswith('*')
                and self.made_in.get(b.number) == GUEST]

    def keep_apart(self, breakpoints):
        """Enable those breakpoints again, but only in the guest."""
        for breakpoint in filter(gdb.Breakpoint.is_valid, breakpoints):
            for place in getattr(breakpoint, 'locations', []):
                if place.enabled and GUEST not in place.thread_groups:
                    place.enabled = False
            breakpoint.enabled = True

    def stop_at(self, where):
        self.stops.append(gdb.Breakpoint(where, internal=True))

    # ---- in ----

    def enter(self):
        """The guest stands before an exit: attach to the monitor and stop it in the handler."""
        self.at_exit = False
        match = re.search(r'about to answer: (\w+)', self.tell('info status'))
        if match:
            self.reason = match.group(1)
            self.attach(self.into_handler)

    def into_handler(self):
        """Attached: set breakpoints in the handler and at the answer's end, and let it answer."""
        if not self.handlers:
            self.find_handlers()
        handler = gdb.block_for_pc(self.handlers[self.reason]).function
        self.stop_at('-source %s -function %s' % (handler.symtab.filename, handler.name))
        self.stop_at(MARKER)
        self.tell('answer')
        self.resume('continue', self.in_handler)

    def in_handler(self):
        """The monitor has stopped: in the handler, usually; or the answer is over already."""
        self.inside = self.selected() == MONITOR and gdb.selected_inferior().pid != 0
        if not self.inside:
            gdb.write('the monitor has ended\n')
        elif self.at_marker():
            self.leave()
        else:
            self.stops.pop(0).delete()
            self.caller = gdb.newest_frame().older()
            gdb.execute('frame')

    # ---- and out ----

    def at_marker(self):
        return gdb.newest_frame().name() == MARKER

    def leave(self):
        """Let the monitor finish its answer, and go back to the guest."""
        self.done = self.finishing = False
        self.select(MONITOR if self.inside else GUEST)
        if not self.inside:
            return
        if self.at_marker():
            self.into_guest()
        else:
            self.resume('continue', self.out_of_handler)

    def out_of_handler(self):
        if gdb.selected_inferior().pid and not self.at_marker():
            gdb.write('a breakpoint on the way back:\n')
            gdb.execute('frame')
        else:
            self.into_guest()

    def into_guest(self):
        """The answer is given: detach, and let the guest finish its instruction."""
        self.inside = False
        self.detach()
        if self.follow is not None:
            self.tell('follow ' + self.follow)
            self.follow = None
        self.resume('stepi', self.go_on, aloud=True)

    # ---- what gdb tells us ----

    def go_on(self):
        """Do what the latest stop has made necessary."""
        if self.at_exit:
            self.enter()
        elif self.done:
            self.leave()

    def due(self):
        return not self.busy and (self.then or self.at_exit or self.done)

    def on_stop(self, event):
        """gdb calls this at every stop.  Nothing may be resumed here: note what is to be done, and
        do it when the command is over (after()) or gdb waits for events again (late())."""
        if self.selected() == GUEST:
            self.at_exit = (isinstance(event, gdb.SignalEvent)
                            and event.stop_signal == 'EXC_EMULATION')
        elif self.inside and not self.busy and not self.then:
            self.done = self.at_marker() or (self.finishing and gdb.newest_frame() == self.caller)
        self.finishing = False
        if self.due() and not self.in_command:
            gdb.post_event(self.late)

    def on_exited(self, event):
        if event.inferior.num == MONITOR:
            self.inside = self.done = self.at_exit = False
            silence.end()

    def late(self):
        """Called when gdb waits for events again: at a terminal the command is over by then."""
        if not self.due():
            return
        then, self.then = self.then, None
        silence.end()
        try:
            if not then:
                gdb.write('\n')        # the prompt stands there already
            then() if then else self.go_on()
        except (gdb.error, gdb.GdbError) as error:
            gdb.write('%s\n' % error)
        if not self.then:
            gdb.write(gdb.parameter('prompt'))
            gdb.flush()

    def before(self, command):
        """gdb calls this before each command in HOOKED, which is not executed if this raises."""
        if self.busy:
            return
        if self.inside and self.selected() == GUEST:
            raise gdb.GdbError('the monitor is answering: `vt-guest` lets it finish '
                               '(`inferior 2` looks at it)')
        self.in_command = True
        self.finishing = (self.inside and command == 'finish'
                          and gdb.selected_frame().older() == self.caller)

    def after(self):
        """gdb calls this after it: in a script what was resumed has stopped; at a terminal it may
        have just begun to run."""
        if not self.busy:
            self.in_command = False
        if self.due() and not self.then and has_stopped():
            self.go_on()


pair = Pair()


# ---- commands ----

class Vitrine(gdb.Command):
    """A guest, and the monitor that answers it.

vt-follow on|off|REASON ...  stop in the monitor's handler when the guest exits
vt-guest                     let the monitor finish; back to the guest
vt-exits [N]                 the last exits (10)
vt-walk ADDRESS              the page walk of an address, step by step
vt-why [SEQ]                 what caused event SEQ (the last one)
monitor help                 all that the console can do, each behind `monitor`

Inferior 1 is the guest, inferior 2 the monitor."""

    def __init__(self):
        super().__init__('vitrine', gdb.COMMAND_USER)

    def invoke(self, args, from_tty):
        gdb.execute('help vitrine')


class Follow(gdb.Command):
    """Stop in the monitor's handler when the guest exits.

vt-follow on              at every exit that the guest causes
vt-follow io cpuid        at these
vt-follow off             no more
vt-follow                 tells what is followed

From the handler `finish`, `continue` or `vt-guest` lead back to the guest, behind
the instruction that has trapped."""

    def __init__(self):
        super().__init__('vt-follow', gdb.COMMAND_RUNNING)

    def invoke(self, args, from_tty):
        args = args.strip()
        if pair.inside:
            pair.follow = args          # the monitor hears of it when it is let go
            return
        gdb.write(pair.tell('follow ' + args))
        pair.following = pair.tell('follow').startswith('the guest stops')
        if pair.following and not pair.handlers:
            try:
                pair.attach(self.attached)  # may we?  Better known before the guest stops for it
            except gdb.GdbError:
                pair.tell('follow off')     # and it stops for nobody
                pair.following = False
                raise

    def attached(self):
        pair.find_handlers()
        pair.detach()

    def complete(self, text, word):
        names = [name.lower() for name in pair.handlers] + ['on', 'off']
        return [name for name in names if name.startswith(word)]


class Hook(gdb.Command):
    """For the hooks of vitrine.py."""

    def __init__(self, name, call):
        self.call = call
        super().__init__(name, gdb.COMMAND_MAINTENANCE)

    def invoke(self, args, from_tty):
        self.call(args)


class Guest(gdb.Command):
    """Let the monitor finish its answer; back to the guest, behind the instruction."""

    def __init__(self):
        super().__init__('vt-guest', gdb.COMMAND_RUNNING)

    def invoke(self, args, from_tty):
        pair.leave()


class Console(gdb.Command):
    """A command of the console, with an argument or a number."""

    def __init__(self, name, doc, make, asks=False):
        self.__doc__ = doc
        self.make = make
        self.asks = asks                # the monitor
        super().__init__(name, gdb.COMMAND_STATUS)

    def invoke(self, args, from_tty):
        gdb.write(pair.tell(self.make(args.strip())))
        if pair.inside and self.asks:
            gdb.write('(the monitor is held: its own tables after `vt-guest`)\n')


def number(text, default):
    return str(int(gdb.parse_and_eval(text))) if text else default


def address(text):
    """What the guest means by it; if it means nothing to the guest, what the monitor does."""
    if not text:
        raise gdb.GdbError('which address? `vt-walk $pc`')
    try:
        return pair.in_guest(lambda: address_here(text))
    except gdb.error:
        return address_here(text)


def address_here(text):
    value = gdb.parse_and_eval(text)
    if value.type.strip_typedefs().code in (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_ARRAY,
                                            gdb.TYPE_CODE_STRUCT):
        value = value.address
    return '%#x' % (int(value) & 0xffffffffffffffff)


# ---- the beginning ----

def add_commands():
    Vitrine()
    Follow()
    Guest()
    Console('vt-exits', 'The last N exits (10), the newest last: vt-exits [N]',
            lambda args: 'log %s EXIT' % number(args, '10'))
    Console('vt-walk', 'The page walk of an address, step by step, to the host\'s: vt-walk ADDRESS',
            lambda args: 'walk ' + address(args), asks=True)
    Console('vt-why', 'What caused event SEQ (the last one), step by step: vt-why [SEQ]',
            lambda args: 'why ' + number(args, ''))


def add_hooks():
    Hook('vt-before-command', pair.before)
    Hook('vt-after-command', lambda args: pair.after())
    for name in HOOKED:
        gdb.execute('define hook-%s\nvt-before-command %s\nend' % (name, name))
        gdb.execute('define hookpost-%s\nvt-after-command\nend' % name)
    gdb.events.stop.connect(pair.on_stop)
    gdb.events.exited.connect(pair.on_exited)
    gdb.events.breakpoint_created.connect(pair.on_new_breakpoint)


def quoted(path):
    return re.sub(r'([\\ "\'])', r'\\\1', path)


def connect(socket, monitor, guest, program):
    pair.pid = int(monitor)
    run('handle EXC_EMULATION stop print nopass')
    run('handle SIGALRM SIG35 nostop noprint pass')     # how the monitor wakes itself
    run('handle SIGSTOP nostop noprint nopass')     # gdb may see that of its own attaching late
    try:
        run('file ' + quoted(guest))
        if os.path.exists(guest + '64'):
            # 64-bit code in a 32-bit file, for Multiboot; gdb understands what it was made from.
            run('symbol-file ' + quoted(guest + '64'))
    except gdb.error:
        pass                            # not ELF: gdb knows its registers and memory, but no names
    run('add-inferior -no-connection -exec ' + quoted(program))
    gdb.execute('target remote %s' % socket)


add_commands()
add_hooks()
connect(*(os.environ['VITRINE_' + name] for name in ('SOCKET', 'MONITOR', 'GUEST', 'SELF')))
