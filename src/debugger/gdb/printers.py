"""printers.py -- how gdb shows Vitrine's structures.

For gdb on a monitor or on its core: source printers.py
"""
import gdb
import gdb.printing


def enumerators(name, prefix):
    return {f.enumval: f.name[len(prefix):] for f in gdb.lookup_type('enum ' + name).fields()
            if f.name.startswith(prefix)}


def short(value):
    """EXIT_IO as IO."""
    return str(value).split('_', 1)[-1]


class VmexitPrinter:
    """struct vmexit: the member of its union that the reason says, and no other."""

    def __init__(self, value):
        self.value = value

    def payload(self):
        reason = short(self.value['reason'])
        for index, name in enumerators('exit_index', 'EXIT_IDX_').items():
            if name == reason:
                member = int(gdb.parse_and_eval('exit_infos')[index]['payload'])
                return enumerators('exit_payload', 'PAYLOAD_')[member]
        return 'none'

    def to_string(self):
        return '%s at %#x' % (short(self.value['reason']), int(self.value['rip']))

    def children(self):
        length = int(self.value['len'])
        yield 'reason', self.value['reason']
        yield 'len', self.value['len']
        if length:
            yield 'bytes', ' '.join('%02x' % int(self.value['bytes'][i])
                                    for i in range(min(length, 15)))
        member = self.payload()
        if member != 'none':
            yield member, self.value[member]
        if int(self.value['reflect']['type']):
            yield 'reflect', self.value['reflect']


class HexPrinter:
    """A structure whose numbers are addresses, or bits: in hexadecimal."""

    def __init__(self, value):
        self.value = value

    def children(self):
        for field in self.value.type.fields():
            member = self.value[field.name]
            if member.type.strip_typedefs().code == gdb.TYPE_CODE_INT and member.type.sizeof > 1:
                yield field.name, '%#x' % int(member)
            else:
                yield field.name, member


class StatePrinter:
    """struct cpu_state: the registers by name, without the FPU's image."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return 'cs:rip %#x:%#x' % (int(self.value['seg'][1]['sel']), int(self.value['rip']))

    def children(self):
        for i, name in sorted(enumerators('gpr', '').items()):
            if name != 'N_GPRS':
                yield name.lower(), '%#x' % int(self.value['gpr'][i])
        for name in 'rip rflags cr0 cr2 cr3 cr4 cr8 efer'.split():
            yield name, '%#x' % int(self.value[name])
        for i, name in sorted(enumerators('seg', 'SEG_').items()):
            s = self.value['seg'][i]
            yield name.lower(), '%#x base %#x limit %#x attr %#x' % tuple(
                int(s[f]) for f in ('sel', 'base', 'limit', 'attr'))


class EventPrinter:
    """struct trace_event: its kind by name, its cause as a number."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        v, seq = self.value, int(self.value['seq'])
        kind = enumerators('trace_kind', 'TRACE_').get(int(v['kind']), '?')
        back = int(v['cause_back'])
        return '#%d %s rip %#x args %s%s' % (
            seq, kind, int(v['rip']), ' '.join('%#x' % int(v['arg'][i]) for i in range(3)),
            ' because of #%d' % (seq - back) if back else '')


PRINTERS = {'vmexit': VmexitPrinter, 'cpu_state': StatePrinter, 'trace_event': EventPrinter}
HEX = 'segment table_reg event'.split()


def collection():
    made = gdb.printing.RegexpCollectionPrettyPrinter('vitrine')
    for name, printer in PRINTERS.items():
        made.add_printer(name, '^%s$' % name, printer)
    for name in HEX:
        made.add_printer(name, '^%s$' % name, HexPrinter)
    return made


gdb.printing.register_pretty_printer(None, collection(), replace=True)
