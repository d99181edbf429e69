// A live run in C: vCPUs on pthreads, and one harvester beside them, as commands/live/live.ts runs them.
#include "reference_live.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define PAGE_BYTES 4096
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint32_t))
#define MOST_VCPUS 64

// What a live run was; TypeScript reads these fields in this order.
struct live_result {
	uint64_t run_ns; // from letting all vCPUs run until all have made their stores
	uint64_t stores;
	uint64_t entries;
	uint64_t full_exits;
	uint64_t resets;
	uint64_t full_p50_ns; // from KVM_RUN's return until the next one, of full-ring stops
	uint64_t full_p99_ns;
	uint64_t full_max_ns;
	uint64_t harvest_ns;
	uint64_t reset_ns;
	uint64_t read_ns;
	uint64_t lost; // pages that hold what was not read of them
};

struct live {
	struct live_setup setup;
	struct machine machine;
	struct live_vcpu *vcpus;
	uint32_t bell; // a futex
	uint32_t *memory; // all logged pages
	uint32_t *last_read; // a word for each logged page
	uint64_t pages;
	uint64_t left; // vCPUs with stores left to make
	struct live_result result;
};

static uint64_t harvest(struct live *l, struct live_vcpu *v)
{
	uint64_t started = now();
	uint32_t taken = vcpu_harvest(&v->vcpu);

	l->result.harvest_ns += now() - started;
	l->result.entries += taken;
	v->taken += taken;
	return taken;
}

// A pending signal would end the reset early (since Linux 6.17): none is let in meanwhile.
static int reset(struct live *l, uint64_t harvested)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	uint64_t started = now();
	int count = ioctl(l->machine.fd, KVM_RESET_DIRTY_RINGS, 0);

	l->result.reset_ns += now() - started;
	l->result.resets++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (count < 0) return fail("KVM_RESET_DIRTY_RINGS");
	if ((uint64_t)count != harvested) return fail_with("entries reset", count, (long)harvested);
	return 0;
}

// Reads the pages that a ring named: only ever after their reset.
static int read_pages(struct live *l, const struct live_vcpu *v)
{
	uint64_t started = now();

	for (uint32_t n = 0; n < v->vcpu.taken; n++) {
		uint64_t page = v->vcpu.offsets[n];

		if (v->vcpu.slots[n] != 1 || page >= l->pages)
			return fail_with("a stray entry's page", (long)page, (long)l->pages);
		uint32_t found = __atomic_load_n(&l->memory[page * PAGE_WORDS], __ATOMIC_RELAXED);
		if (found != l->last_read[page]) l->last_read[page] = found;
	}
	l->result.read_ns += now() - started;
	return 0;
}

static void resume(struct live_vcpu *v)
{
	v->is_out = 1;
	v->taken = 0;
	set_phase(&v->phase, RUN);
}

static int is_still(const struct live_vcpu *v)
{
	return __atomic_load_n(&v->phase, __ATOMIC_ACQUIRE) == HOLD;
}

static int harvest_all(struct live *l)
{
	uint64_t taken = 0;

	for (uint64_t n = 0; n < l->setup.vcpus; n++) taken += harvest(l, &l->vcpus[n]);
	if (reset(l, taken) < 0) return -1;
	for (uint64_t n = 0; n < l->setup.vcpus; n++)
		if (read_pages(l, &l->vcpus[n]) < 0) return -1;
	return 0;
}

// Takes note of a stop. 1 for a full ring, 0 for a vCPU that is done.
static int note_stop(struct live *l, struct live_vcpu *v)
{
	v->is_out = 0;
	switch (v->stop) {
	case STOP_DONE:
		l->left--;
		return 0;
	case STOP_FULL:
		l->result.full_exits++;
		return 1;
	case STOP_ERRNO:
		return fail_with("errno of KVM_RUN", v->detail, 0);
	default:
		return fail_with("exit reason", v->detail, (long)v->end);
	}
}

// Sees to vCPUs that stand still: the rings that are full are harvested, and theirs alone; their
// vCPUs run on, and only then their pages are read.
static int look_after(struct live *l)
{
	uint64_t full = 0; // a bit for each vCPU
	uint64_t taken = 0;

	for (uint64_t n = 0; n < l->setup.vcpus; n++) {
		struct live_vcpu *v = &l->vcpus[n];

		if (!v->is_out || !is_still(v)) continue;
		int is_full = note_stop(l, v);
		if (is_full < 0) return -1;
		if (is_full) full |= 1ull << n;
	}
	if (full == 0) return 0;
	for (uint64_t n = 0; n < l->setup.vcpus; n++)
		if (full >> n & 1) taken += harvest(l, &l->vcpus[n]);
	if (reset(l, taken) < 0) return -1;
	for (uint64_t n = 0; n < l->setup.vcpus; n++) {
		if (!(full >> n & 1)) continue;
		// A harvest of all rings may have come between its exit and this one.
		if (l->vcpus[n].taken == 0) return fail_with("entries of a full ring", 0, 1);
		resume(&l->vcpus[n]);
	}
	for (uint64_t n = 0; n < l->setup.vcpus; n++)
		if (full >> n & 1 && read_pages(l, &l->vcpus[n]) < 0) return -1;
	return 0;
}

static int run_all(struct live *l)
{
	uint64_t started = now(), next = started + l->setup.interval_ns;

	for (uint64_t n = 0; n < l->setup.vcpus; n++) resume(&l->vcpus[n]);
	for (;;) {
		uint32_t seen = __atomic_load_n(&l->bell, __ATOMIC_ACQUIRE);

		if (look_after(l) < 0) return -1;
		uint64_t time = now();
		if (l->left == 0) break;
		if (time - started > l->setup.timeout_ns)
			return fail_with("ms that it took", (long)((time - started) / 1000000),
					 (long)(l->setup.timeout_ns / 1000000));
		if (time >= next) {
			if (harvest_all(l) < 0) return -1;
			next += l->setup.interval_ns;
			if (next < time) next = time;
		} else {
			futex_wait(&l->bell, seen, next - time);
		}
	}
	l->result.run_ns = now() - started;
	if (harvest_all(l) < 0) return -1;
	for (uint64_t page = 0; page < l->pages; page++)
		if (l->memory[page * PAGE_WORDS] != l->last_read[page]) l->result.lost++;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

static int sum_up(struct live *l)
{
	uint64_t count = 0;

	for (uint64_t n = 0; n < l->setup.vcpus; n++) {
		struct live_vcpu *v = &l->vcpus[n];

		l->result.stores += v->finished;
		if (v->stops > STOPS_KEPT) v->stops = STOPS_KEPT;
		count += v->stops;
	}
	if (count == 0) return 0;
	uint64_t *all = calloc(count, sizeof *all), at = 0;
	if (!all) return fail("calloc");
	for (uint64_t n = 0; n < l->setup.vcpus; n++) {
		memcpy(all + at, l->vcpus[n].stops_ns, l->vcpus[n].stops * sizeof *all);
		at += l->vcpus[n].stops;
	}
	qsort(all, count, sizeof *all, by_size);
	l->result.full_p50_ns = all[(count - 1) / 2];
	l->result.full_p99_ns = all[(count - 1) * 99 / 100];
	l->result.full_max_ns = all[count - 1];
	free(all);
	return 0;
}

static int make_room(struct live *l)
{
	size_t bytes = l->setup.vcpus * sizeof *l->vcpus;

	if (l->setup.vcpus > MOST_VCPUS)
		return fail_with("vCPUs", (long)l->setup.vcpus, MOST_VCPUS);
	l->vcpus = aligned_alloc(_Alignof(struct live_vcpu), bytes);
	if (!l->vcpus) return fail("aligned_alloc");
	memset(l->vcpus, 0, bytes);
	for (uint64_t n = 0; n < l->setup.vcpus; n++) l->vcpus[n].vcpu.fd = -1;
	l->memory = (uint32_t *)l->machine.logged;
	l->pages = l->setup.machine.logged_bytes / PAGE_BYTES;
	l->last_read = calloc(l->pages, sizeof *l->last_read);
	return l->last_read ? 0 : fail("calloc");
}

// Starts a thread for each vCPU, and waits until all stand still.
static int start(struct live *l, const struct sregs_patch *patch, const struct quest *quests)
{
	sigset_t all, old;
	int error = 0;

	for (uint64_t n = 0; n < l->setup.vcpus; n++) {
		struct live_vcpu *v = &l->vcpus[n];

		v->quest = quests[n];
		v->end = l->setup.end;
		v->bell = &l->bell;
		v->stops_ns = calloc(STOPS_KEPT, sizeof *v->stops_ns);
		if (!v->stops_ns) return fail("calloc");
		if (vcpu_open(&v->vcpu, &l->machine, (int)n, patch) < 0) return -1;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); // which a thread begins with
	for (uint64_t n = 0; n < l->setup.vcpus && error == 0; n++) {
		struct live_vcpu *v = &l->vcpus[n];

		error = pthread_create(&v->thread, NULL, live_thread, v);
		v->has_thread = error == 0;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error) return fail_with("errno of pthread_create", error, 0);
	for (uint64_t n = 0; n < l->setup.vcpus; n++) {
		struct live_vcpu *v = &l->vcpus[n];

		for (;;) {
			uint32_t seen = __atomic_load_n(&l->bell, __ATOMIC_ACQUIRE);

			if (is_still(v)) break;
			futex_wait(&l->bell, seen, 0);
		}
		if (v->stop != STOP_ASKED) return fail_with("errno of a vCPU's start", v->detail, 0);
	}
	return 0;
}

// Ends all threads, wherever their vCPUs are, and gives all back.
static void finish(struct live *l)
{
	for (uint64_t n = 0; l->vcpus && n < l->setup.vcpus; n++) {
		struct live_vcpu *v = &l->vcpus[n];

		if (!v->has_thread) continue;
		__atomic_store_n(&v->must_stop, 1, __ATOMIC_RELEASE);
		pthread_kill(v->thread, KICK);
		for (;;) {
			uint32_t seen = __atomic_load_n(&l->bell, __ATOMIC_ACQUIRE);

			if (is_still(v)) break;
			futex_wait(&l->bell, seen, 0);
		}
		set_phase(&v->phase, QUIT);
		pthread_join(v->thread, NULL);
	}
	for (uint64_t n = 0; l->vcpus && n < l->setup.vcpus; n++) {
		vcpu_close(&l->vcpus[n].vcpu);
		free(l->vcpus[n].stops_ns);
	}
	machine_close(&l->machine);
	free(l->vcpus);
	free(l->last_read);
}

// A whole live run on a VM of its own. 0, or -1: see the problem. `slot0` are all of slot 0's
// bytes, and there is a quest for each vCPU.
EXPORT int reference_live(const struct live_setup *setup, const uint8_t *slot0,
			  const struct sregs_patch *patch, const struct quest *quests,
			  struct live_result *result)
{
	struct live l = { .setup = *setup, .left = setup->vcpus };
	int answer = machine_open(&l.machine, &setup->machine, slot0);

	if (answer == 0) answer = make_room(&l);
	if (answer == 0) answer = start(&l, patch, quests);
	if (answer == 0) answer = run_all(&l);
	if (answer == 0) answer = sum_up(&l);
	finish(&l);
	*result = l.result;
	return answer;
}
