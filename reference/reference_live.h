// A live run: what its harvester and its vCPUs' threads share.
#ifndef REFERENCE_LIVE_H
#define REFERENCE_LIVE_H

#include "reference.h"

#include <pthread.h>

// The signal that makes a vCPU stand still: its thread blocks it, and KVM_RUN alone lets it in.
#define KICK SIGUSR1

// Full-ring stops whose time a vCPU keeps; later ones are only counted.
#define STOPS_KEPT (1u << 20)

// What a live run is to be; TypeScript writes these fields in this order.
struct live_setup {
	struct machine_setup machine;
	uint64_t vcpus;
	uint64_t end; // the exit with which the guest's program ends
	uint64_t interval_ns;
	uint64_t timeout_ns;
};

// What a vCPU is to do; TypeScript writes these fields in this order.
struct quest {
	struct kvm_regs regs; // of its first pass: rcx stores in it, from the value rbx on, by rbp
	uint64_t stores; // in all
};

// Where a vCPU's thread and the harvester are with each other.
enum phase {
	STARTING, // the thread goes on to HOLD
	HOLD, // the vCPU stands still; the harvester goes on to RUN or QUIT
	RUN, // it runs; the thread goes on to HOLD
	QUIT, // the thread shall end
};

// Why a vCPU stands still.
enum stop { STOP_ASKED, STOP_DONE, STOP_FULL, STOP_EXIT, STOP_ERRNO };

// A vCPU and its thread. The harvester reads what the thread wrote once it has seen HOLD.
struct live_vcpu {
	struct vcpu vcpu;
	struct quest quest;
	uint64_t end;
	uint32_t *bell; // of all vCPUs: counted up, and rung, when one stands still
	pthread_t thread;
	int has_thread;
	uint32_t phase; // a futex
	uint32_t must_stop;
	enum stop stop;
	int detail; // the exit reason, or the errno
	uint64_t finished; // stores of the passes before this one
	uint64_t full_since; // when KVM_RUN came back with a full ring; 0 where it did not
	uint64_t *stops_ns;
	uint32_t stops;
	// The harvester's own:
	int is_out; // it let the vCPU run, and has not seen why that stopped
	uint64_t taken; // entries taken since it let the vCPU run
} __attribute__((aligned(64)));

// The program of a vCPU's thread, which begins with all signals blocked.
void *live_thread(void *vcpu);

// What a vCPU's thread does to `phase`, and waits for.
void set_phase(uint32_t *phase, uint32_t value);
void futex_wait(const uint32_t *word, uint32_t seen, uint64_t ns);
void futex_wake(uint32_t *word);

#endif
