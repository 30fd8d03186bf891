/* soak.c: mixed clients for a long time; what the daemon holds at the end is what it held after the first
 * sixth.
 *
 * Usage: soak [SECONDS]
 * After each sixth the clients leave, all that they made is closed, and a reading is taken. The daemon runs
 * with the settings of the memory allocator that the unit gives it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/http/suite.h"
#include "tests/load/load.h"

enum { SECONDS_DEFAULT = 600, PARTS = 6, PAUSE_US = 20000, STEP_US = 100000, CALM_MS = 30000 };

enum { MEMORY_PERCENT = 5, LOG_MOST = 4096 };

static const struct job *const jobs[] = { &job_stream, &job_forward, &job_bulk, &job_datagrams, &job_messages,
        &job_watched, &job_accepts, &job_echo, &job_relay, &job_life, &job_batch, &job_sessions, &job_park,
        &job_careful_stream, &job_careful_datagrams, &job_careful_messages, &job_careful_accepts,
        &job_careful_life, &job_careful_batch, &job_careful_sessions, &job_hungry, &job_vanishing,
        &job_unsound, &job_lookups };

struct reading {
        long descriptors, memory_kib, log_bytes;
        unsigned requests;
};

static struct reading readings[PARTS];
static long seconds = SECONDS_DEFAULT;

static long log_size(const struct daemon *daemon)
{
        struct stat status;
        return stat(daemon->log_path, &status) == 0 ? (long)status.st_size : -1;
}

/* Clients that have gone are let go of within the idle time: until nothing has gone for a second. */
static void await_calm(const struct daemon *daemon)
{
        const int64_t deadline = milliseconds() + CALM_MS;
        long least = daemon_descriptors(daemon);
        for (int64_t since = milliseconds(); milliseconds() < since + 1000 && milliseconds() < deadline;) {
                pause_us(STEP_US);
                const long now = daemon_descriptors(daemon);
                if (now >= least)
                        continue;
                least = now;
                since = milliseconds();
        }
}

/* The first part works without a pause: what the allocator comes to keep, it has from then on. */
static void run_part(struct stage *stage, int part)
{
        static struct load load;
        load = (struct load){ .pause_us = part == 0 ? 0 : PAUSE_US };
        const int64_t until = milliseconds() + seconds * 1000 / PARTS;
        const bool started = load_start(&load, stage->daemon, jobs, COUNT(jobs));
        while (started && milliseconds() < until && load.complaint[0] == '\0')
                pause_us(STEP_US);
        load_stop(&load);
        assert_string_equal(load.complaint, "");
        assert_int_equal(load_lost(&load), 0);
        assert_int_equal(load_doubled(&load), 0);
        await_calm(stage->daemon);
        readings[part] = (struct reading){ .descriptors = daemon_descriptors(stage->daemon),
                .memory_kib = daemon_memory(stage->daemon),
                .log_bytes = log_size(stage->daemon),
                .requests = load.requests };
        print_message("%4ld s  %3ld descriptors  %6ld KiB  %5ld bytes of log  %6u requests\n",
                seconds * (part + 1) / PARTS, readings[part].descriptors, readings[part].memory_kib,
                readings[part].log_bytes, readings[part].requests);
}

static void soak(struct stage *stage)
{
        const struct reading *const first = &readings[0], *const last = &readings[PARTS - 1];
        for (int part = 0; part < PARTS; part++)
                run_part(stage, part);
        assert_int_equal(last->descriptors, first->descriptors);
        assert_in_range(last->memory_kib * 100, first->memory_kib * (100 - MEMORY_PERCENT),
                first->memory_kib * (100 + MEMORY_PERCENT));
        assert_in_range(last->log_bytes, 0, LOG_MOST);
}

static const struct scenario scenarios[] = { { "soak", soak } };

int main(int argc, char **argv)
{
        /* So few outcomes are kept that there are as many from the first part on. */
        static const char *const arguments[] = { "--kept-outcomes", "500", NULL };
        if (argc > 1)
                seconds = strtol(argv[1], NULL, 10);
        setenv("GLIBC_TUNABLES", UNIT_TUNABLES, 1);
        SUITE_ADD_SCENARIOS(scenarios);
        return suite_run("soak", arguments);
}
