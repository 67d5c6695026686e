"""What Google's compiler prints, in its words and layout, as users quoted them publicly.

Sources: github.com/google-coral/edgetpu, issues 60, 157, 168, 342, 439, 490, 608, 631, 671,
686, 728 and 829. Lines of several of these logs are put together so that few texts show every
status, and file names are shortened.
"""

PARTLY_MAPPED = """\
Edge TPU Compiler version 2.1.302470888

Model compiled successfully in 12264 ms.

Input model: model2.tflite
Input size: 8.11MiB
Output model: model2_edgetpu.tflite
Output size: 9.47MiB
On-chip memory used for caching model parameters: 6.86MiB
On-chip memory remaining for caching model parameters: 7.75KiB
Off-chip memory used for streaming uncached model parameters: 1.22MiB
Number of Edge TPU subgraphs: 1
Total number of operations: 267
Operation log: model2_edgetpu.log

Model successfully compiled but not all operations are supported by the Edge TPU. A percentage \
of the model will instead run on the CPU, which is slower. If possible, consider updating your \
model to use only operations supported by the Edge TPU. For details, visit g.co/coral/model-reqs.
Number of operations that will run on Edge TPU: 83
Number of operations that will run on CPU: 5

Operator                       Count      Status

DEQUANTIZE                     2          Operation is working on an unsupported data type
DEPTHWISE_CONV_2D              80         Mapped to Edge TPU
LOGISTIC                       1          Operation is otherwise supported, but not mapped due \
to some unspecified limitation
CONCATENATION                  1          Mapped to Edge TPU
CONCATENATION                  1          More than one subgraph is not supported
MAX_POOL_2D                    2          Mapped to Edge TPU
CUSTOM                         1          Operation not supported
"""

FULLY_MAPPED = """\
Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 2270 ms.

Input model: model_segment_0_of_2.tflite
Input size: 5.21MiB
Output model: model_segment_0_of_2_edgetpu.tflite
Output size: 6.51MiB
On-chip memory used for caching model parameters: 6.02MiB
On-chip memory remaining for caching model parameters: 1.02MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 84
Operation log: model_segment_0_of_2_edgetpu.log

Operator                       Count      Status

QUANTIZE                       1          Mapped to Edge TPU
DEPTHWISE_CONV_2D              22         Mapped to Edge TPU
ADD                            15         Mapped to Edge TPU
CONV_2D                        46         Mapped to Edge TPU
Compilation child process completed within timeout period.
Compilation succeeded!
"""

TOO_LARGE = """\
Started a compilation timeout timer of 180 seconds.
ERROR: Restored original execution plan after delegate application failure.
Compilation failed: Compilation failed due to large activation tensors in model.
Compilation child process completed within timeout period.
Compilation failed!
"""
