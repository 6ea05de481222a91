# Clients by address for the edge's tests: `perl nginx_addresses.pl EDGE HOST COUNT` on the edge itself. One request from
# each of so many addresses of loopback; prints the first line of each answer, which names the peer.
use strict;
use warnings;
use IO::Socket::INET;

my ($edge, $host, $count) = @ARGV;
for my $number (1 .. $count) {
    my $own = sprintf '127.1.%d.%d', $number >> 8, $number & 255;
    my $socket = IO::Socket::INET->new(LocalAddr => $own, PeerAddr => $edge, PeerPort => 80) or die "$own: $!";
    print $socket "GET / HTTP/1.0\r\nHost: $host\r\n\r\n";
    my $answer = join '', <$socket>;
    $answer =~ m{^HTTP/1\.\d 200 .*?\r\n\r\n(\S+)}s or die "$own: $answer";
    print "$1\n";
}
