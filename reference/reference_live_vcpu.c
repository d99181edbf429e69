// The thread of a vCPU of a live run: as drive/vcpu_thread.ts is one.
#include "reference_live.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// What the kernel's signal sets have: a bit a signal.
#define KERNEL_SIGSET_BYTES 8

// Waits while `word` is `seen`, but no longer than `ns`; 0 is for ever. It may wake for nothing.
void futex_wait(const uint32_t *word, uint32_t seen, uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, ns ? &t : NULL, NULL, 0);
}

void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void set_phase(uint32_t *phase, uint32_t value)
{
	__atomic_store_n(phase, value, __ATOMIC_RELEASE);
	futex_wake(phase);
}

static void stand(struct live_vcpu *v, enum stop why, int detail)
{
	v->stop = why;
	v->detail = detail;
	__atomic_store_n(&v->phase, HOLD, __ATOMIC_RELEASE);
	__atomic_add_fetch(v->bell, 1, __ATOMIC_RELEASE);
	futex_wake(v->bell);
}

// Sets the registers for the next pass. 0 where there is none, -1 where the kernel refused.
static int begin_pass(struct live_vcpu *v)
{
	uint64_t left = v->quest.stores - v->finished;

	if (left == 0) return 0;
	if (v->quest.regs.rcx > left) v->quest.regs.rcx = left;
	return ioctl(v->vcpu.fd, KVM_SET_REGS, &v->quest.regs) < 0 ? -1 : 1;
}

// The counter goes on where the pass that has ended left it, and wraps as the guest's own does.
static void end_pass(struct live_vcpu *v)
{
	struct kvm_regs *regs = &v->quest.regs;

	v->finished += regs->rcx;
	regs->rbx = (uint32_t)(regs->rbx + regs->rcx * regs->rbp);
}

static void note_stop(struct live_vcpu *v)
{
	if (v->stops < STOPS_KEPT) v->stops_ns[v->stops] = now() - v->full_since;
	v->stops++;
	v->full_since = 0;
}

// Runs until the vCPU has to stand still.
static void run(struct live_vcpu *v)
{
	if (v->full_since) note_stop(v);
	for (;;) {
		int answer = ioctl(v->vcpu.fd, KVM_RUN, 0);

		if (answer < 0 && errno == EINTR) {
			if (__atomic_load_n(&v->must_stop, __ATOMIC_ACQUIRE))
				return stand(v, STOP_ASKED, 0);
			continue;
		}
		if (answer < 0) return stand(v, STOP_ERRNO, errno);
		uint32_t reason = v->vcpu.run->exit_reason;
		if (reason == KVM_EXIT_DIRTY_RING_FULL) {
			v->full_since = now();
			return stand(v, STOP_FULL, 0);
		}
		if (reason != v->end) return stand(v, STOP_EXIT, (int)reason);
		end_pass(v);
		int begun = begin_pass(v);
		if (begun < 0) return stand(v, STOP_ERRNO, errno);
		if (begun == 0) return stand(v, STOP_DONE, 0);
	}
}

// KVM_RUN alone lets the kick in, so that one which comes a moment before it ends it all the same.
static int let_kicks_in(int vcpu)
{
	struct {
		uint32_t len;
		uint8_t set[KERNEL_SIGSET_BYTES];
	} mask = { .len = KERNEL_SIGSET_BYTES };

	memset(mask.set, 0xff, sizeof mask.set);
	mask.set[(KICK - 1) / 8] &= (uint8_t)~(1 << (KICK - 1) % 8);
	return ioctl(vcpu, KVM_SET_SIGNAL_MASK, &mask);
}

void *live_thread(void *vcpu)
{
	struct live_vcpu *v = vcpu;

	if (let_kicks_in(v->vcpu.fd) < 0 || begin_pass(v) < 0)
		stand(v, STOP_ERRNO, errno);
	else
		stand(v, STOP_ASKED, 0);
	for (;;) {
		uint32_t phase = __atomic_load_n(&v->phase, __ATOMIC_ACQUIRE);

		if (phase == QUIT) return NULL;
		if (phase == HOLD)
			futex_wait(&v->phase, HOLD, 0);
		else
			run(v);
	}
}
