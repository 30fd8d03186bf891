/* sample.h: a request with members of every kind, and what decoding it works with. */
#pragma once

#include <string.h>
#include <sys/socket.h>

#include "api/field.h"

/* A request with every kind, and some of the common parameters. */
struct sample {
        bool all;
        int backlog, family, flags, plain;
        int64_t offset;
        uint64_t size;
        struct text label, name;
        struct binary packed;
        struct payload data;
        struct address address;
        struct until until;
        struct settings options;
        struct listen_request listen;
        struct value value;
};

struct sample_common {
        int64_t timeout_ms;
};

static const struct field sample_rows[] = {
        FIELD(struct sample, all, "All of it."),
        FIELD(struct sample, backlog, "A queue.", .max = 65535, .fallback = 128),
        FIELD(struct sample, family, "A family.", .names = &family_names, .fallback = AF_INET),
        FIELD(struct sample, flags, "Flags.", .names = &message_flag_names, .flags = true),
        FIELD(struct sample, plain, "Any int."),
        FIELD(struct sample, offset, "Any int64_t."),
        FIELD(struct sample, size, "How many.", .min = 1, .max = 1 << 20, .fallback = 65536,
                .example = "100"),
        FIELD(struct sample, label, "A label.", .max = 8),
        FIELD(struct sample, name, "A name.", .min = 2),
        FIELD(struct sample, packed, "Bytes."),
        FIELD(struct sample, data, "The payload.", .required = true),
        FIELD(struct sample, address, "Where."),
        FIELD(struct sample, until, "When it is complete."),
        FIELD(struct sample, options, "Options."),
        FIELD(struct sample, listen, "Accept."),
        FIELD(struct sample, value, "Anything."),
};
static const struct fields sample_fields = FIELDS(struct sample, sample_rows);

static const struct field sample_common_rows[] = {
        FIELD(struct sample_common, timeout_ms, "How long.", .max = INT64_MAX, .fallback = -1),
};
static const struct fields sample_common_fields = FIELDS(struct sample_common, sample_common_rows);

struct fixture {
        struct arena arena;
        struct problem problem;
        struct decoder decoder;
        struct sample sample;
        struct sample_common common;
};

static inline void fixture_set(struct fixture *fixture)
{
        memset(fixture, 0, sizeof *fixture);
        fixture->decoder.arena = &fixture->arena;
        fixture->decoder.problem = &fixture->problem;
}

static inline void fixture_clean(const struct fixture *fixture)
{
        struct arena arena = fixture->arena;
        arena_free(&arena);
}
#define fixture_auto __attribute__((cleanup(fixture_clean)))
