/* address_form.h: the object forms that addresses have in JSON, one row per family. */
#pragma once

#include <netinet/in.h>

#include "api/field.h"

/* Every member that some family's form has. */
struct address_parts {
        struct text host;
        uint64_t port, scope_id, flowinfo;
        struct text path, abstract;
        struct binary path_base64, abstract_base64;
        int protocol, hardware_type, packet_type;
        struct value interface;
        struct text hardware_address;
        uint64_t cid, pid, groups;
        struct binary raw;

        bool family_given;
        char buffer[INET6_ADDRSTRLEN]; /* what a text of a reply points to */
};

struct address_form {
        int family;
        struct fields fields;
        /* Makes the address; false with decoder->problem filled in. */
        bool (*build)(
                struct decoder *decoder, int family, const struct address_parts *parts, struct address *out);
        /* The members of an address from the kernel, which live as long as it. False: this form cannot say
         * it. NULL: no reply has this form. */
        bool (*read)(const struct address *address, struct address_parts *parts);
};

extern const struct address_form address_forms[];
extern const size_t address_form_count;

/* {"family": …, "raw": …}: says any address. */
extern const struct address_form address_raw_form;
