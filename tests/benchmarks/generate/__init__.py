"""`benchmarks generate`: tokens a second and the time to the first, beside transformers, llama.cpp, nanoGPT and the
machine's own roofline.

suite             its options, and what is said before and after
workloads         the pieces of work by name, and the models they are done with
measuring         how each is measured: its candidates, and what of them is compared
setup             those models in every form that is needed, and which peers are there
roofline          what a step costs at least, and what the measured rates of this machine therefore allow
int8_loss         what rounding the weights to eight bits does to the loss of a text
our_generation    our generate process, asked from code that waits; random_model writes the model that it loads
peers/            the other programs, each in a process of its own
"""
