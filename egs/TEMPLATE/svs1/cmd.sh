# shellcheck shell=bash disable=SC2034
# Who runs the jobs. utils/run.sh runs them on this machine. To use a cluster, write a runner that takes the
# arguments described in utils/run.sh (utils/slurm.sh, say), put it into a copy of this file, and keep the copy
# in the recipe in place of the link.

# Many small CPU jobs: data preparation, features, vocoding.
train_cmd="utils/run.sh"
# One long job, on a GPU where --ngpu asks for one: training and inference.
cuda_cmd="utils/run.sh"
