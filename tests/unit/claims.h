/* claims.h: what tests of kept outcomes are told in: a call claims a key, runs, and its reply is kept. */
#pragma once

#include "daemon/sockets/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/caller.h"

enum { WAITS_MAX = 256 };

static const struct outcome_bounds loose = { .count = 1000, .bytes = 1 << 24, .age_ns = INT64_MAX / 2 };
static struct waiter *waiter;

static inline struct outcomes *begin(const struct outcome_bounds *bounds)
{
        if (waiter == NULL)
                waiter = waiter_new(WAITS_MAX);
        assert_non_null(waiter);
        struct outcomes *const outcomes = outcomes_new(bounds, waiter);
        assert_non_null(outcomes);
        return outcomes;
}

/* What a test gets of a claim; what of it was allocated is freed by the next, or by done(). */
static struct {
        struct outcome *outcome;
        struct outcome_reply reply;
        struct joiner joiner;
} got;

static inline void done(struct outcomes *outcomes)
{
        free(got.reply.body);
        free(got.reply.members);
        memset(&got, 0, sizeof got);
        outcomes_free(outcomes);
}

/* `request` stands for the fingerprint. */
static inline enum claim claim_as(
        struct outcomes *outcomes, const char *owner, const char *text, char request)
{
        uint8_t fingerprint[FINGERPRINT_SIZE] = { (uint8_t)request };
        const struct outcome_key key = { .owner = owner, .text = text, .fingerprint = fingerprint };
        free(got.reply.body);
        free(got.reply.members);
        memset(&got, 0, sizeof got);
        return outcomes_claim(outcomes, &key, &got.outcome, &got.reply, &got.joiner);
}

static inline enum claim claim(struct outcomes *outcomes, const char *text)
{
        return claim_as(outcomes, "one", text, 'x');
}

static inline void keep(struct outcomes *outcomes, struct outcome *outcome, const char *body)
{
        struct outcome_reply reply = { .status = 201,
                .media = "application/json",
                .location = "/v1/sockets/a-1",
                .body = (uint8_t *)(uintptr_t)body,
                .size = strlen(body) };
        outcome_keep(outcomes, outcome, &reply);
}

/* A call that runs and is done. */
static inline void make_as(struct outcomes *outcomes, const char *owner, const char *text, const char *body)
{
        assert_int_equal(claim_as(outcomes, owner, text, 'x'), CLAIM_NEW);
        keep(outcomes, got.outcome, body);
}

static inline void make(struct outcomes *outcomes, const char *text)
{
        make_as(outcomes, "one", text, "{}");
}
