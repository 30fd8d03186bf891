/* deed.h: what is about to be done, as the rules of a policy see it. */
#pragma once

#include <net/if.h>
#include <stddef.h>

#include "daemon/sockets/target.h"

enum deed_kind {
        DEED_SOCKET,
        DEED_BIND,
        DEED_CONNECT,
        DEED_ACCEPT, /* from a peer */
        DEED_SEND,   /* to an address */
        DEED_JOIN,   /* a multicast group */
        DEED_DEVICE, /* use one network interface alone */
        DEED_OPTION,
        DEED_NETNS, /* open a socket in another network namespace */
        DEED_COUNT,
};

extern const char *const deed_names[DEED_COUNT];

/* How far a deed reaches by itself. */
enum risk {
        RISK_NONE,   /* nowhere: an ordinary socket, an option of the socket's own */
        RISK_SOME,   /* somewhere, or it changes where from */
        RISK_DETOUR, /* packets then go to other addresses than those that are judged */
};

struct deed {
        enum deed_kind kind;
        enum risk risk;
        int family, type;            /* the socket's */
        const struct target *target; /* NULL: none */
        int level, option;           /* of an option */
        char device[IF_NAMESIZE];    /* the interface's own name, "" when there is none such */
        const char *netns;           /* the network namespace's name; of DEED_NETNS */
        const char *token, *policy;  /* who does it; "" for nobody in particular */
};

/* The making of a socket; flags of the type are left out. */
struct deed deed_of_socket(int family, int type, int protocol);

/* What setting an option to these bytes does, for a socket whose family and type are in *out. A group to join
 * goes into *target, which then is the deed's. */
void deed_of_option(
        struct deed *out, struct target *target, int level, int option, const void *bytes, size_t size);

/* The same for ancillary data of a message that is sent. False: it is the message's own business, and nothing
 * is to be judged. */
bool deed_of_ancillary(
        struct deed *out, struct target *target, int level, int type, const void *bytes, size_t size);

enum { DEED_TEXT_SIZE = 288 };

/* "connect 10.0.0.1:80", "socket AF_INET SOCK_RAW", "option SO_MARK", safe to print. Returns `out`. */
const char *deed_format(const struct deed *deed, char *out, size_t out_size);
