/* A test double of an Edge TPU delegate: it claims edgetpu-custom-op nodes and computes nothing.
 *
 * The structures are the parts of LiteRT's C API (tflite/core/c/common.h) that a delegate needs,
 * in its layout. A macro chooses how it misbehaves: CRASH, HANG, NO_DELEGATE, GARBAGE. With
 * GOOGLE it also has the names that tell libedgetpu, and finds no device.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OPERATOR "edgetpu-custom-op"

typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;
typedef struct Node Node;

typedef struct {
  void* (*init)(Context*, const char*, size_t);
  void (*free)(Context*, void*);
  int (*prepare)(Context*, Node*);
  int (*invoke)(Context*, Node*);
  const char* (*profiling_string)(const Context*, const Node*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* external;
  void* async_kernel;
  uint64_t inplace_operator;
} Registration;

struct Context {
  size_t tensors_size;
  int (*get_execution_plan)(Context*, IntArray**);
  void* tensors;
  void* impl;
  void* resize_tensor;
  void* report_error;
  void* add_tensors;
  int (*get_node_and_registration)(Context*, int, Node**, Registration**);
  int (*replace_node_subsets)(Context*, Registration, const IntArray*, Delegate*);
};

struct Delegate {
  void* data;
  int (*prepare)(Context*, Delegate*);
  void* copy_from_buffer;
  void* copy_to_buffer;
  void* free_buffer;
  int64_t flags;
  void* opaque_builder;
};

static void* kernel_init(Context* context, const char* buffer, size_t length) { return malloc(1); }
static void kernel_free(Context* context, void* data) { free(data); }
static int kernel_prepare(Context* context, Node* node) { return 0; }

static int kernel_invoke(Context* context, Node* node) {
#if defined(CRASH)
  *(volatile int*)0 = 1;
#elif defined(HANG)
  for (;;) pause();
#elif defined(GARBAGE)
  for (int stream = 1; stream < 64; stream++)
    if (write(stream, "garbage\n", 8) < 0) continue;
#endif
  struct timespec five_milliseconds = {0, 5000000};
  nanosleep(&five_milliseconds, NULL);
  return 0;
}

static int delegate_prepare(Context* context, Delegate* delegate) {
  IntArray* plan;
  if (context->get_execution_plan(context, &plan)) return 1;
  IntArray* mine = malloc(sizeof(IntArray) + plan->size * sizeof(int));
  mine->size = 0;
  for (int i = 0; i < plan->size; i++) {
    Node* node;
    Registration* found;
    if (context->get_node_and_registration(context, plan->data[i], &node, &found)) return 1;
    if (found->custom_name && !strcmp(found->custom_name, OPERATOR))
      mine->data[mine->size++] = plan->data[i];
  }
  Registration kernel = {.init = kernel_init, .free = kernel_free, .prepare = kernel_prepare,
                         .invoke = kernel_invoke, .custom_name = "double", .version = 1};
  int status = context->replace_node_subsets(context, kernel, mine, delegate);
  free(mine);
  return status;
}

Delegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count,
                                        void (*report)(const char*)) {
#ifdef NO_DELEGATE
  report("Failed to load delegate: no device");
  return NULL;
#endif
  Delegate* delegate = calloc(1, sizeof *delegate);
  delegate->prepare = delegate_prepare;
  delegate->flags = 1; /* allows dynamic tensors */
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate* delegate) { free(delegate); }

#ifdef GOOGLE
const char* edgetpu_version(void) { return "BuildLabel(test double),RuntimeVersion(14)"; }
void* edgetpu_list_devices(size_t* count) { *count = 0; return NULL; }
#endif
