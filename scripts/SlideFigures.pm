# scripts/SlideFigures.pm -- the figures of the slides, as SVG.
#
# Each function gets what is to be seen, as text and numbers, and returns the drawing; where the
# numbers come from is scripts/slides's business.  A drawing is 1200 units wide, on a slide 88 rem.
# Who acts has the same colour in every figure: guest, monitor, host and hardware are classes of
# slides/template.html; an exit has the colour that the reports give its reason.
package SlideFigures;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT_OK = qw(bars stacks ladder timeline escape);

use constant WIDTH => 1200;
my @actors = qw(guest monitor host hardware none);

sub escape { my ($t) = @_; $t =~ s/&/&amp;/g; $t =~ s/</&lt;/g; $t =~ s/>/&gt;/g; return $t }

sub figure
{
    my ($title, $height, $drawing) = @_;
    my $name = escape($title);
    $name =~ s/"/&quot;/g;
    return qq(```{=html}\n<figure><svg viewBox="0 0 @{[WIDTH]} $height" preserveAspectRatio="xMinYMin" role="img" aria-label="$name">)
        . qq(<text x="0" y="30" class="title">) . escape($title) . "</text>$drawing</svg></figure>\n```";
}

sub text
{
    my ($x, $y, $text, $more) = @_;
    return qq(<text x="$x" y="$y" @{[$more // '']}>) . escape($text) . '</text>';
}

sub rect
{
    my ($x, $y, $w, $h, $more) = @_;
    return qq(<rect x="$x" y="$y" width="$w" height="$h" $more/>);
}

# How wide a text of a drawing is, at most: DejaVu Sans, in units.
sub text_width { my ($text, $size) = @_; return 0.62 * $size * length $text }

# Bars of lengths as the numbers: rows of [label, number, colour].
sub bars
{
    my ($title, @rows) = @_;
    my ($most) = sort { $b <=> $a } map { $_->[1] } @rows;
    my ($longest) = sort { $b <=> $a } map { length $_->[0] } @rows;
    my $left = $longest > 16 ? 20 * $longest : 340;
    my $y = 50;
    my $drawing = '';
    for (@rows) {
        my ($label, $n, $colour) = @$_;
        my $width = sprintf '%.0f', (WIDTH - $left - 240) * $n / ($most || 1) + 2;
        $drawing .= text($left, $y + 36, $label, 'text-anchor="end"')
            . rect($left + 20, $y, $width, 46, qq(fill="$colour")) . text($left + 30 + $width, $y + 36, $n);
        $y += 60;
    }
    return figure($title, $y, $drawing);
}

# A label in a box: as large as it fits, and no smaller than can be read from the back row.
sub boxed
{
    my ($x, $y, $w, $h, $actor, $label) = @_;
    die "no such actor: $actor\n" if !grep { $_ eq $actor } @actors;
    return '' if $actor eq 'none';
    my ($size) = grep { text_width($label, $_) <= $w - 8 } 30, 28, 26, 24;
    die "too long for its box: $label\n" if !$size;
    return rect($x, $y, $w, $h, qq(rx="8" class="$actor"))
        . text($x + $w / 2, $y + $h / 2 + 0.35 * $size, $label,
               qq(text-anchor="middle" style="font-size:${size}px" class="in-$actor"));
}

# Layers that stand on each other, in columns beside each other.  A column is a line
#   TITLE: ACTOR LABEL | ACTOR LABEL / ACTOR LABEL / line TEXT / ...
# from the top to the bottom; `line` is a border, for example between two processor modes.
sub stacks
{
    my ($title, @lines) = @_;
    my @columns = map { my ($name, $rows) = /^(.*?): (.*)$/ or die "no column: $_\n"; [$name, split m{ / }, $rows] } @lines;
    my $w = int((WIDTH - 30 * (@columns - 1)) / @columns);
    my ($rows) = sort { $b <=> $a } map { $#$_ } @columns;
    my ($x, $drawing) = (0, '');
    for (@columns) {
        my ($name, @rows) = @$_;
        $drawing .= text($x + $w / 2, 78, $name, 'text-anchor="middle" class="title" style="font-size:28px"');
        my $y = 94 + 68 * ($rows - @rows);
        for (@rows) {
            if (/^line (.*)/) {
                $drawing .= qq(<line x1="$x" x2="@{[$x + $w]}" y1="@{[$y + 8]}" y2="@{[$y + 8]}" class="border"/>)
                    . text($x + $w / 2, $y + 44, $1, 'text-anchor="middle" class="faint" style="font-size:25px"');
            } else {
                my @cells = split / \| /;
                my $each = ($w - 8 * (@cells - 1)) / @cells;
                my $at = $x;
                for (@cells) {
                    $drawing .= boxed(sprintf('%.0f', $at), $y, sprintf('%.0f', $each), 60, /^(\S+) ?(.*)$/);
                    $at += $each + 8;
                }
            }
            $y += 68;
        }
        $x += $w + 30;
    }
    return figure($title, 94 + 68 * $rows, $drawing);
}

# Events below each other, each in the lane of the layer that logged it; an arrow comes from the
# event's cause.  An event is [seq, ns, cause, layer, kind, what, colour].
my %lane = (base => 0, io => 0, vm => 1, mem => 1, cpu => 2);
my @lanes = (['device', 'hardware'], ['monitor', 'monitor'], ['CPU', 'guest']);
sub ladder
{
    my ($title, @events) = @_;
    my ($start, $step) = ($events[0][1], 48);
    my ($height, $drawing, %row) = (100 + $step * @events, '');
    my @middle = (240, 390, 540);
    for my $i (0 .. $#lanes) {
        $drawing .= rect($middle[$i] - 60, 50, 120, $height - 50, qq(rx="8" class="$lanes[$i][1] lane"))
            . text($middle[$i], 84, $lanes[$i][0], qq(text-anchor="middle" class="in-$lanes[$i][1]" style="font-size:28px"));
    }
    for my $i (0 .. $#events) {
        my ($seq, $ns, $cause, $layer, $kind, $what, $colour) = @{$events[$i]};
        my ($x, $y) = ($middle[$lane{$layer} // 1], 124 + $step * $i);
        if (my $from = $row{$cause}) {
            my ($cx, $cy) = @$from;
            my $bend = $cx == $x ? $x - 46 : $cx;
            $drawing .= qq(<path d="M$cx $cy Q$bend $y @{[$x + ($cx == $x ? -14 : $cx < $x ? -14 : 14)]} $y" class="cause"/>);
        }
        $drawing .= qq(<circle cx="$x" cy="$y" r="14" fill="$colour" class="event"/>)
            . text(150, $y + 10, sprintf('+%.2f us', ($ns - $start) / 1000), 'text-anchor="end" class="faint" style="font-size:25px"')
            . text(630, $y + 10, "$kind $what", 'class="mono"');
        $row{$seq} = [$x, $y];
    }
    return figure($title, $height, $drawing);
}

# Virtual time from left to right: when the guest ran and when it was halted, and each exit.
# RUNS are [from, to] in ns, EXITS [ns, colour], PINS ns at which a device raised its pin.
sub timeline
{
    my ($title, $from, $to, $runs, $exits, $pins) = @_;
    my ($left, $wide) = (190, WIDTH - 200);
    my $at = sub { sprintf '%.1f', $left + $wide * ($_[0] - $from) / ($to - $from) };
    my $drawing = '';
    my $y = 60;
    for (['device', 'hardware'], ['guest', 'guest'], ['exits', 'monitor']) {
        $drawing .= text($left - 20, $y + 52, $_->[0], 'text-anchor="end"')
            . rect($left, $y, $wide, 80, qq(class="$_->[1] lane"));
        $y += 100;
    }
    for (grep { $_->[1] >= $from && $_->[0] <= $to } @$runs) {
        my ($a, $b) = map { $at->($_) } $_->[0] < $from ? $from : $_->[0], $_->[1] > $to ? $to : $_->[1];
        $drawing .= rect($a, 160, $b - $a < 4 ? 4 : $b - $a, 80, 'class="guest"');
    }
    $drawing .= rect($at->($_->[0]), 264, 4, 72, qq(fill="$_->[1]")) for grep { $_->[0] >= $from && $_->[0] <= $to } @$exits;
    $drawing .= rect($at->($_) - 2, 64, 6, 72, 'class="hardware"') for grep { $_ >= $from && $_ <= $to } @$pins;
    for my $tick (0 .. 5) {
        my $ns = $from + ($to - $from) * $tick / 5;
        $drawing .= text($at->($ns), 390, sprintf('%g ms', $ns / 1e6),
                         'class="faint" style="font-size:26px" text-anchor="' . ($tick == 5 ? 'end' : 'middle') . '"');
    }
    return figure($title, 400, $drawing);
}

1;
