# A peer for the edge's tests: `perl nginx_peer.pl ADDRESS PORT [NAME]`. Answers with its name (its address unless given)
# and what it was asked; /slow/N after N seconds; /status/N with that status; /mute not at all; an upgrade with 101 and
# then an echo. Idle connections are closed after 5 s, as uvicorn does.
use strict;
use warnings;
use IO::Socket::INET;

my ($address, $port, $name) = @ARGV;
$name //= $address;
my $listener = IO::Socket::INET->new(LocalAddr => $address, LocalPort => $port, Listen => 512, ReuseAddr => 1)
    or die "cannot listen on $address:$port: $!";
$SIG{CHLD} = 'IGNORE';

sub read_request {
    my ($client) = @_;
    my $head = '';
    while ($head !~ /\r\n\r\n/) {
        local $SIG{ALRM} = sub { exit 0 };
        alarm 5;
        my $got = sysread $client, $head, 65536, length $head;
        alarm 0;
        exit 0 unless $got;
    }
    my ($lines, $body) = split /\r\n\r\n/, $head, 2;
    my $length = $lines =~ /^content-length:\s*(\d+)/im ? $1 : 0;
    while (length $body < $length) {
        sysread($client, $body, 65536, length $body) or exit 0;
    }
    return ($lines, $body);
}

sub serve {
    my ($client) = @_;
    while (1) {
        my ($lines, $body) = read_request($client);
        my ($method, $path) = $lines =~ m{^(\S+) (\S+)};
        if ($lines =~ /^upgrade:/im) {
            syswrite $client, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
            while (sysread $client, my $bytes, 65536) { syswrite $client, $bytes }
            exit 0;
        }
        exit 0 if $path eq '/mute';
        select undef, undef, undef, $1 if $path =~ m{^/slow/([\d.]+)};
        my %header = map { /^([^:]+):\s*(.*)/ ? (lc $1 => $2) : () } split /\r\n/, $lines;
        my $answer = join '', map { "$_\n" } $name, "$method $path", map { "$_: $header{$_}" } sort keys %header;
        $answer .= "body: $body\n";
        my $own = $path eq '/framed' ? "X-Frame-Options: DENY\r\n" : '';
        my $status = $path =~ m{^/status/(\d+)} ? $1 : 200;
        syswrite $client, "HTTP/1.1 $status OK\r\n${own}Content-Length: " . length($answer) . "\r\n\r\n$answer";
    }
}

while (1) {
    my $client = $listener->accept or next;
    my $pid = fork;
    if (!$pid) { close $listener; serve($client) }
    close $client;
}
