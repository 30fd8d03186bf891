/* policy.h: a policy file and what it speaks of, for tests of policies. */
#pragma once

#include "tests/http/steps.h"

enum { TEXT_SIZE = 4096 };

/* The token of "ci", whose policy is "lab". */
#define CI "ci-0123456789abcdef"

/* In a folder of their own, which holds lab/, with links out of it. */
extern char folder[], policy_path[], tokens_path[];
void folder_fill(void);
void folder_remove(void);

/* The rules that most tests are about; with ' for ", and "{}" for the folder. */
extern const char rules[];

/* Writes the policy's file. */
void policy_write(const char *text);

/* With the folder for "{}" before a slash. */
void folder_name(const char *text, char out[static TEXT_SIZE]);

/* Status 403, by this rule. */
void expect_denied(const struct reply *reply, const char *rule);

/* A POST with ci's token. */
struct reply *as_ci(struct stage *stage, const char *path, const char *json);
