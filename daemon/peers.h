/* peers.h: how many connections there are from each address. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

struct peers;

/* For at most `total` connections at a time, and `each` of them from one address; with `spare_loopback`,
 * there may be any number from this host. IPv4-mapped addresses count as IPv4, IPv6 ones by their /64, of
 * which one client may have all. NULL without memory. */
struct peers *peers_new(unsigned total, unsigned each, bool spare_loopback);
void peers_free(struct peers *peers);

/* Counts a connection from there. False when there are as many as there may be. Other families than IPv4 and
 * IPv6 are not counted. Safe from any thread. */
bool peers_enter(struct peers *peers, const struct sockaddr *address);

/* Takes back what peers_enter() counted. */
void peers_leave(struct peers *peers, const struct sockaddr *address);
