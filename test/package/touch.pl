#!/usr/bin/perl
# A touch panel that the kernel makes (uinput): touch.pl NAME FIFO. Each line of FIFO, "X Y" from 0 to 1 of the panel as it is built
# in, is a finger put down there and lifted after 0.15 s. The panel is pulled when this ends.
use strict;
use warnings;

my ($name, $fifo) = @ARGV;
open(my $dev, '>', '/dev/uinput') or die "uinput: $!";
binmode $dev;
sub call { ioctl($dev, $_[0], $_[1]) or die sprintf("ioctl %x: $!", $_[0]) }
# linux/uinput.h; the numbers are those of amd64 and arm64.
my ($evbit, $keybit, $absbit, $propbit) = (0x40045564, 0x40045565, 0x40045567, 0x4004556e);
my ($setup, $abs_setup, $create) = (0x405c5503, 0x401c5504, 0x5501);
my ($SYN, $KEY, $ABS, $TOUCH) = (0, 1, 3, 0x14a);
my ($SLOT, $X, $Y, $ID) = (0x2f, 0x35, 0x36, 0x39);
call($evbit, $KEY);
call($keybit, $TOUCH);
call($evbit, $ABS);
call($propbit, 1); # INPUT_PROP_DIRECT
for ([0, 4095], [1, 4095], [$SLOT, 9], [$X, 4095], [$Y, 4095], [$ID, 65535]) {
	my ($code, $max) = @$_;
	call($absbit, $code);
	# The panel is 302 mm by 537 mm.
	my $res = $code == 0 || $code == $X ? 13 : $code == 1 || $code == $Y ? 7 : 0;
	call($abs_setup, pack('SSl6', $code, 0, 0, 0, $max, 0, 0, $res));
}
call($setup, pack('S4a80L', 3, 0x222a, 0x0001, 1, $name, 0));
ioctl($dev, $create, 0) or die "UI_DEV_CREATE: $!";

sub event { my ($type, $code, $value) = @_; syswrite($dev, pack('qqSSl', 0, 0, $type, $code, $value)) == 24 or die "event: $!" }
my $finger = 0;
while (1) {
	open(my $in, '<', $fifo) or die "$fifo: $!";
	while (<$in>) {
		my ($x, $y) = map { int($_ * 4095 + 0.5) } split;
		event(@$_) for [$ABS, $SLOT, 0], [$ABS, $ID, ++$finger], [$ABS, $X, $x], [$ABS, $Y, $y], [$ABS, 0, $x], [$ABS, 1, $y], [$KEY, $TOUCH, 1], [$SYN, 0, 0];
		select(undef, undef, undef, 0.15);
		event(@$_) for [$ABS, $SLOT, 0], [$ABS, $ID, -1], [$KEY, $TOUCH, 0], [$SYN, 0, 0];
	}
}
