# shellcheck shell=bash disable=SC2034,SC2154
# Who runs the jobs: what the option --cmd names. Options that a runner does not know, it leaves. To set them apart for
# one recipe, put a copy of this file in the place of the link.

# Many small CPU jobs: data preparation, features, vocoding.
train_cmd="${cmd:-utils/run.sh}"
# One long job, on GPUs where --ngpu asks for some: training and inference.
cuda_cmd="${cmd:-utils/run.sh} --mem 16G"
